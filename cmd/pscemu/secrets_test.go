package main

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pscemu.invalid/pscemu/internal/testkit"
)

func TestAttack35StrictClosesEveryDoorAndOnlyLoopbackIsListenedOn(t *testing.T) {
	s := boot(t, "--strict")
	var doors struct {
		Items []struct {
			Name string
			Open bool
		}
	}
	s.API("GET", "/doors", "", &doors)
	if len(doors.Items) < 6 {
		t.Fatalf("%d doors", len(doors.Items))
	}
	for _, d := range doors.Items {
		if d.Open {
			t.Errorf("%s is open", d.Name)
		}
	}
	if got := s.CodeOf("PATCH", "/doors", `{"login-hint":true}`); got != "doors-strict" {
		t.Errorf("opening one: %s", got)
	}
	if got := s.CodeOf("PUT", "/faults", `{"items":[{"kind":"slow"}]}`); got != "door-closed" {
		t.Errorf("a fault: %s", got)
	}
	for _, flag := range []string{"--listen", "--card-listen", "--console-listen"} {
		out, err := exec.Command(binary, "serve", "--data", t.TempDir(), flag, "0.0.0.0:0").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "loopback only") {
			t.Errorf("%s 0.0.0.0: %v %s", flag, err, out)
		}
	}
	for _, at := range []string{s.Listen, strings.TrimPrefix(s.ConsoleURL, "http://")} {
		if host, _, _ := net.SplitHostPort(at); !net.ParseIP(host).IsLoopback() {
			t.Errorf("it listens on %s", at)
		}
	}
}

func TestAttack36SecretsAreInNoLogMetricOrErrorPage(t *testing.T) {
	data := t.TempDir()
	var log bytes.Buffer
	s := bootLogging(t, data, &log)
	rp := testkit.NewRelyingParty(s.Server, s.DemoCertificate())
	tok := rp.Tokens(testkit.Doctor, "n")
	id, _ := tok.Extra("id_token").(string)
	secrets := []string{
		tok.AccessToken,
		tok.RefreshToken,
		id,
		s.DemoClient.ClientSecret,
		s.APIToken,
		"7391 6254 porteur",
		"a-secret-code.of.login",
	}
	said := ""
	for _, form := range []url.Values{
		{
			"grant_type":    {"authorization_code"},
			"client_id":     {"demo"},
			"code":          {"a-secret-code.of.login"},
			"client_secret": {s.DemoClient.ClientSecret},
		},
		{"grant_type": {"refresh_token"}, "client_id": {"demo"}, "refresh_token": {tok.RefreshToken + "x"}},
	} {
		resp, err := s.HTTP(s.DemoCertificate()).PostForm(s.Issuer+"/protocol/openid-connect/token", form)
		if err != nil {
			t.Fatal(err)
		}
		said += testkit.Text(t, resp)
	}
	var card struct{ Items []struct{ Serial string } }
	s.API("GET", "/cards?national_id="+testkit.Doctor, "", &card)
	c := s.Browser()
	resp, err := c.Get(
		s.BaseURL + "/auth?response_type=code&" +
			"client_id=demo&scope=openid&redirect_uri=" + url.QueryEscape(testkit.CallbackURL),
	)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp, err = c.PostForm(
		resp.Request.URL.String()+"/card",
		url.Values{"card": {card.Items[0].Serial}, "pin": {"7391 6254 porteur"}},
	); err != nil {
		t.Fatal(err)
	}
	said += testkit.Text(t, resp)
	if resp, err = http.Get(s.ConsoleURL + "/metrics"); err != nil {
		t.Fatal(err)
	}
	said += testkit.Text(t, resp)
	s.stop(os.Interrupt)
	for n, secret := range secrets {
		if strings.Contains(said, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("secret %d is told: %.60s", n, secret)
		}
	}
	files, err := os.ReadDir(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if public := strings.HasSuffix(f.Name(), ".pem"); info.Mode().Perm()&0o077 != 0 && !public {
			t.Errorf("%s: %s", filepath.Join(data, f.Name()), info.Mode())
		}
	}
}
