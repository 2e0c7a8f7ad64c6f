package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestNothingIsLostOrReusableAfterKill9(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	used := rp.Login(testkit.Nurse).Get("code")
	form := url.Values{
		"grant_type":   {"authorization_code"},
		"client_id":    {"demo"},
		"code":         {used},
		"redirect_uri": {testkit.CallbackURL},
	}
	if status, _ := s.Post("token", form); status != 200 {
		t.Fatal(status)
	}
	form.Set("code", rp.Login(testkit.Nurse).Get("code"))
	s.stop(syscall.SIGKILL)
	again := bootIn(t, data, "--public-url", s.BaseURL)
	if status, a := again.post2("/token", form); status != 200 {
		t.Errorf("the unused code is lost: %v", a)
	}
	form.Set("code", used)
	if status, _ := again.post2("/token", form); status != 400 {
		t.Errorf("the used code served again: %d", status)
	}
}

func TestKill9AmidLoginsLosesNothingAcknowledgedAndLetsNothingServeTwice(t *testing.T) {
	data := t.TempDir()
	s := bootIn(t, data)
	type acknowledged struct{ code, access string }
	acks := make(chan acknowledged, 1000)
	var wg sync.WaitGroup
	client, authorize := s.HTTP(
		s.DemoCertificate(),
	), s.BaseURL+"/auth?response_type=code&"+
		"client_id=demo&scope=openid&login_hint=auto:"+testkit.Nurse+"&redirect_uri="+url.QueryEscape(
		testkit.CallbackURL,
	)
	for range 4 {
		wg.Go(func() {
			for {
				resp, err := client.Get(authorize)
				if err != nil {
					return // killed
				}
				resp.Body.Close()
				back, err := resp.Location()
				if err != nil {
					return
				}
				code := back.Query().Get("code")
				resp, err = client.PostForm(
					s.Issuer+"/protocol/openid-connect/token",
					url.Values{
						"grant_type":   {"authorization_code"},
						"client_id":    {"demo"},
						"code":         {code},
						"redirect_uri": {testkit.CallbackURL},
					},
				)
				if err != nil {
					return
				}
				var a struct {
					Access string `json:"access_token"`
				}
				err = json.NewDecoder(resp.Body).Decode(&a)
				resp.Body.Close()
				if err != nil || a.Access == "" {
					return
				}
				acks <- acknowledged{code, a.Access}
			}
		})
	}
	var seen []acknowledged
	for len(seen) < 25 {
		seen = append(seen, <-acks)
	}
	s.stop(syscall.SIGKILL)
	wg.Wait()
	close(acks)
	for a := range acks {
		seen = append(seen, a)
	}
	again := bootIn(t, data, "--public-url", s.BaseURL)
	for _, a := range seen {
		if status, answer := again.post2(
			"/token/introspect",
			url.Values{"token": {a.access}},
		); status != 200 ||
			answer["active"] != true {
			t.Fatalf("an acknowledged login is lost: %d %v", status, answer)
		}
		if status, answer := again.post2(
			"/token",
			url.Values{
				"grant_type":   {"authorization_code"},
				"client_id":    {"demo"},
				"code":         {a.code},
				"redirect_uri": {testkit.CallbackURL},
			},
		); status != 400 {
			t.Fatalf("a used code served again: %v", answer)
		}
	}
	t.Logf("%d logins acknowledged before the kill", len(seen))
}

// post2 posts to an endpoint by address: after a restart on another port the
// issuer's name leads nowhere.
func (s *server) post2(endpoint string, form url.Values) (int, map[string]any) {
	s.T.Helper()
	resp, err := s.HTTP(s.DemoCertificate()).
		PostForm("https://"+s.Listen+"/auth/realms/esante-wallet/protocol/openid-connect"+endpoint, form)
	if err != nil {
		s.T.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	_ = json.NewDecoder(resp.Body).Decode(&out)
	return resp.StatusCode, out
}

func TestLoginByCommandPrintsTokensAndClaims(t *testing.T) {
	s := boot(t)
	for means, mode := range map[string]string{"ecps": "MOBILE", "card": "CARD"} {
		var out struct {
			Tokens   map[string]any `json:"tokens"`
			UserInfo map[string]any `json:"userinfo"`
		}
		if err := json.Unmarshal(
			[]byte(s.cli("login", "--client", "demo", "--identity", testkit.Doctor, "--means", means)),
			&out,
		); err != nil {
			t.Fatal(err)
		}
		if out.Tokens["access_token"] == nil || out.UserInfo["authMode"] != mode ||
			out.UserInfo["SubjectNameID"] != testkit.Doctor {
			t.Errorf("%s: %v", means, out.UserInfo)
		}
	}
}

func TestCtrlCEndsCleanly(t *testing.T) {
	s := boot(t)
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	err := <-s.done
	s.done = nil
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.data, "ready.json")); !os.IsNotExist(err) {
		t.Fatal("ready.json is still there")
	}
}
