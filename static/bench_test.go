package static

import "testing"

// BenchmarkPage is the page that most people see.
func BenchmarkPage(b *testing.B) {
	for b.Loop() {
		if _, err := Pages().Render(b.Context(), "provider/login", map[string]any{
			"Title":    "Connectez-vous",
			"ID":       "x",
			"Client":   "Application",
			"Tab":      "ecps",
			"Query":    "",
			"Path":     "/login/x",
			"TestDoor": true,
			"Tabs":     []string{"ecps", "card"},
			"Wallet":   false,
			"Login":    "",
			"Remember": false,
			"Strict":   false,
			"Lang":     "fr",
		}); err != nil {
			b.Fatal(err)
		}
	}
}
