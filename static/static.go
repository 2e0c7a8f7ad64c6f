// Package static embeds the templates, styles, scripts, pictures and messages,
// a folder for each room that shows them.
package static

import (
	"embed"
	"sync"

	"pscemu.invalid/pscemu/internal/web"
)

//go:embed templates assets messages
var files embed.FS

// Pages are the pages of this program.
var Pages = sync.OnceValue(func() *web.Pages { return web.NewPages(files) })
