package bench

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"

	"pscemu.invalid/pscemu/cards/pki"
	"pscemu.invalid/pscemu/internal/clock"
	"pscemu.invalid/pscemu/internal/store"
)

// The floor is what no login can do without: a TLS handshake for the browser's
// new connection, and the RSA-2048 signatures of access token and id token. A
// second process of this program does just that, so that its processor time can
// be read as the server's is.

// FloorCommand is the argument that makes this program such a process.
const FloorCommand = "floor"

type floor struct {
	hello floorHello
	roots *x509.CertPool
	key   *rsa.PublicKey
	pid   int
	stop  func()
}

// floorHello is the line by which the process tells where it is.
type floorHello struct {
	Address string `json:"address"`
	CA      []byte `json:"ca"`  // DER
	Key     []byte `json:"key"` // PKCS #1
}

func startFloor(ctx context.Context) (*floor, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "bench", FloorCommand)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends when this pipe does
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() { _ = in.Close(); _ = cmd.Wait() }
	f := &floor{pid: cmd.Process.Pid, stop: stop}
	if err = json.NewDecoder(out).Decode(&f.hello); err == nil {
		err = f.trust()
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("the floor's process did not start: %w", err)
	}
	return f, nil
}

func (f *floor) trust() error {
	ca, err := x509.ParseCertificate(f.hello.CA)
	if err != nil {
		return err
	}
	f.roots = x509.NewCertPool()
	f.roots.AddCert(ca)
	f.key, err = x509.ParsePKCS1PublicKey(f.hello.Key)
	return err
}

// once is one round: connect, hand over a byte, verify the signatures that come.
func (f *floor) once(ctx context.Context) error {
	d := tls.Dialer{Config: &tls.Config{RootCAs: f.roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}}
	c, err := d.DialContext(ctx, "tcp", f.hello.Address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	answer, err := io.ReadAll(c)
	if err != nil || len(answer) != 2*f.key.Size() {
		return errors.Join(err, errors.New("floor: no two signatures came"))
	}
	for n := range byte(2) {
		sum := sha256.Sum256([]byte{n})
		if err := rsa.VerifyPKCS1v15(
			f.key,
			crypto.SHA256,
			sum[:],
			answer[int(n)*f.key.Size():][:f.key.Size()],
		); err != nil {
			return err
		}
	}
	return nil
}

// ServeFloor is the process behind --limit. It writes its address to out, and
// ends when in does.
func ServeFloor(in io.Reader, out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	// A certificate as the emulator's own server has.
	c := &clock.Adjustable{}
	cert, ca, err := pki.New(store.NewMemory(c), c, "http://localhost/pki", nil).
		ServerCertificate(context.Background(), []string{"localhost"})
	if err != nil {
		return err
	}
	l, err := tls.Listen(
		"tcp",
		"127.0.0.1:0",
		&tls.Config{
			Certificates: []tls.Certificate{cert},
			ClientAuth:   tls.RequestClientCert,
			MinVersion:   tls.VersionTLS12,
		},
	)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).
		Encode(floorHello{l.Addr().String(), ca.Raw, x509.MarshalPKCS1PublicKey(&key.PublicKey)}); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, in); _ = l.Close() }()
	for {
		c, err := l.Accept()
		if err != nil {
			return nil // closed: done
		}
		go serveFloor(c, key)
	}
}

func serveFloor(c net.Conn, key *rsa.PrivateKey) {
	defer func() { _ = c.Close() }()
	var b [1]byte
	if _, err := c.Read(b[:]); err != nil {
		return
	}
	var answer []byte
	for n := range byte(2) {
		sum := sha256.Sum256([]byte{n})
		signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
		if err != nil {
			return
		}
		answer = append(answer, signature...)
	}
	_, _ = c.Write(answer)
}
