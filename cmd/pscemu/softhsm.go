package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/cards"
	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/identities"
	"pscemu.invalid/pscemu/identities/nomenclature"
	"pscemu.invalid/pscemu/internal/api"
)

// A card as a PKCS #11 token of SoftHSM, which OpenSSL, browsers and card
// middleware read as they read a real card.

// modules are where distributions put SoftHSM's library.
var modules = []string{
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm.so",
	"/opt/homebrew/lib/softhsm/libsofthsm2.so",
}

// token is a card's token while it is written.
type token struct {
	dir, module, label, pin string
}

// cardAndHolder are a card and whose it is.
func (r *remote) cardAndHolder(cmd *cobra.Command, serial string) (*cards.Card, *identities.Identity, error) {
	found, err := r.api.GetCardWithResponse(cmd.Context(), serial)
	if err := r.done(found, err); err != nil {
		return nil, nil, err
	}
	holder, err := r.api.GetIdentityWithResponse(cmd.Context(), found.JSON200.NationalId)
	if err := r.done(holder, err); err != nil {
		return nil, nil, err
	}
	var card cards.Card
	var person identities.Identity
	err = errors.Join(json.Unmarshal(found.Body, &card), json.Unmarshal(holder.Body, &person))
	return &card, &person, err
}

// exportSoftHSM writes the card's two certificates with their keys, and the
// data objects of a real card, into a token below dir.
func exportSoftHSM(cmd *cobra.Command, r *remote, serial, dir string) error {
	t, err := newToken(dir)
	if err != nil {
		return err
	}
	card, person, err := r.cardAndHolder(cmd, serial)
	if err != nil {
		return err
	}
	t.label, t.pin = string(card.Type)+" "+card.Serial, card.PIN
	if err := t.run(
		"softhsm2-util",
		"--init-token",
		"--free",
		"--label",
		t.label,
		"--so-pin",
		card.PUK,
		"--pin",
		card.PIN,
	); err != nil {
		return err
	}
	for id, c := range map[string][2]string{
		"01": {string(cards.ForAuthentication), "Certificat d'Authentification CPS"},
		"02": {string(cards.ForSignature), "Certificat de Signature CPS"},
	} {
		answer, err := r.api.GetCardP12WithResponse(cmd.Context(), serial, &api.GetCardP12Params{Use: c[0]})
		if err = r.done(answer, err); err == nil {
			err = t.certificate(answer.Body, id, c[1])
		}
		if err != nil {
			return err
		}
	}
	for _, o := range objects(card, person) {
		if err := t.data(o); err != nil {
			return err
		}
	}
	uri := "pkcs11:token=" + url.PathEscape(t.label) + ";id=%01"
	return printJSON(
		cmd,
		map[string]string{
			"token":           t.label,
			"module":          t.module,
			"config":          filepath.Join(dir, "softhsm2.conf"),
			"certificate_uri": uri + ";type=cert",
			"key_uri":         uri + ";type=private",
		},
	)
}

// newToken finds the tools and makes SoftHSM's folder and configuration.
func newToken(dir string) (*token, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	t := &token{dir: dir}
	for _, tool := range []string{"softhsm2-util", "pkcs11-tool"} {
		if _, err := exec.LookPath(tool); err != nil {
			return nil, fmt.Errorf("%s is missing; on Debian: apt-get install softhsm2 opensc", tool)
		}
	}
	for _, m := range modules {
		if _, err := os.Stat(m); err == nil {
			t.module = m
		}
	}
	if t.module == "" {
		return nil, fmt.Errorf("SoftHSM's library is in none of %s", strings.Join(modules, ", "))
	}
	conf := "directories.tokendir = " + filepath.Join(
		dir,
		"tokens",
	) + "\nobjectstore.backend = file\nlog.level = ERROR\n"
	return t, errors.Join(
		os.MkdirAll(filepath.Join(dir, "tokens"), 0o700),
		os.WriteFile(filepath.Join(dir, "softhsm2.conf"), []byte(conf), 0o600),
	)
}

func (t *token) run(name string, args ...string) error {
	c := exec.Command(name, args...)
	c.Env = append(os.Environ(), "SOFTHSM2_CONF="+filepath.Join(t.dir, "softhsm2.conf"))
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}

// kept writes a file that lasts for one step only.
func (t *token) kept(data []byte, use func(file string) error) error {
	f, err := os.CreateTemp(t.dir, "object")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return use(f.Name())
}

func (t *token) write(file, kind, label string, more ...string) error {
	return t.run(
		"pkcs11-tool",
		append(
			[]string{
				"--module",
				t.module,
				"--token-label",
				t.label,
				"--login",
				"--pin",
				t.pin,
				"--write-object",
				file,
				"--type",
				kind,
				"--label",
				label,
			},
			more...)...)
}

func (t *token) certificate(p12 []byte, id, label string) error {
	key, der, err := pki.Unpack(p12, "pscemu")
	if err != nil {
		return err
	}
	err = t.kept(key, func(file string) error {
		return t.run(
			"softhsm2-util",
			"--import",
			file,
			"--token",
			t.label,
			"--label",
			label,
			"--id",
			id,
			"--pin",
			t.pin,
		)
	})
	if err != nil {
		return err
	}
	return t.kept(der, func(file string) error { return t.write(file, "cert", label, "--id", id) })
}

// cardObject is one of a card's data objects.
type cardObject struct {
	label, text string
	private     bool // behind the code porteur
}

// objects are those of a real card, by their labels; a card holds sixteen
// activities at the most. What they hold is text: their coding is not public.
func objects(c *cards.Card, i *identities.Identity) []cardObject {
	out := []cardObject{
		{"CPS_ID_CARD", c.Serial, false},
		{"CPS_NAME_PS", c.Holder, false},
		{"CPS_INFO_PS", i.NationalID + " " + nomenclature.ProfessionLabel(i.Profession()), false},
	}
	for _, e := range i.Exercises {
		for _, a := range e.Activities {
			if n := len(out) - 2; n <= 16 {
				out = append(
					out,
					cardObject{
						fmt.Sprintf("CPS_ACTIVITY_%02d_PS", n),
						strings.Join([]string{e.Profession, a.Mode, a.Sector, a.StructureID, a.CorporateName}, ";"),
						true,
					},
				)
			}
		}
	}
	return out
}

func (t *token) data(o cardObject) error {
	return t.kept([]byte(o.text), func(file string) error {
		if o.private {
			return t.write(file, "data", o.label, "--private")
		}
		return t.write(file, "data", o.label)
	})
}
