package delivery

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// noLinkLocal keeps registered names from leading to a machine's metadata
// services, whatever they resolve to.
func noLinkLocal(_, address string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(
		strings.SplitN(host, "%", 2)[0],
	); ip == nil || ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast() || ip.IsMulticast() ||
		ip.IsUnspecified() {
		return fmt.Errorf("address %s is not called", host)
	}
	return nil
}

// try calls once: redirects are not followed, and no more of the answer is
// read than its beginning.
func (s *Sender) try(e entry) Attempt {
	a := Attempt{Time: s.clock.Now()}
	req, err := s.request(e)
	if err == nil {
		var resp *http.Response
		if resp, err = s.client.Do(req); err == nil {
			a.Status = resp.StatusCode
			_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
			_ = resp.Body.Close()
		}
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the URL, which the entry names
	}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}

func (s *Sender) request(e entry) (*http.Request, error) {
	body := e.Message.Body
	if write := s.writers[e.Delivery.Kind]; write != nil && e.Message.Intent != nil {
		var err error
		if body, err = write(s.ctx, e.Delivery, e.Message.Intent); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, e.Delivery.URI, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", e.Message.ContentType)
	if e.Message.Authorization != "" {
		req.Header.Set("Authorization", e.Message.Authorization)
	}
	return req, nil
}
