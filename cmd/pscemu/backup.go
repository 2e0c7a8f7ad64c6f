package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pscemu.invalid/pscemu/internal/api"
)

func newBackup() *cobra.Command {
	cmd := command(
		"backup FILE",
		"Copy everything the running emulator keeps into a file, while it goes on; in memory too",
		1,
		runBackup,
	)
	remoteFlags(cmd)
	return cmd
}

func newRestore() *cobra.Command {
	cmd := command("restore FILE", "Put a backup in the place of everything the running emulator keeps", 1, runRestore)
	cmd.Long = cmd.Short + `.
The file is judged as a whole first: a damaged one changes nothing. What was there before stays beside the data
file as pscemu.db.before-DATE-TIME, the latest three of them; to go back to one, stop the emulator and put it in
the place of pscemu.db.
Certificates that were revoked stay revoked. A backup of another data folder brings its own authorities and keys:
applications then need that folder's certificates, and its server CA from the next start on.
To restore into a stopped emulator, start it and restore.`
	remoteFlags(cmd)
	return cmd
}

// runBackup writes beside the file first, so that one that was broken off is
// never taken for a backup.
func runBackup(cmd *cobra.Command, args []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	resp, err := r.stream(r.long.GetBackup(cmd.Context()))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.OpenFile(args[0]+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, watched(cmd, resp.Body, resp.ContentLength))
	if err == nil && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), args[0])
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, map[string]any{"file": args[0], "bytes": n})
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d bytes\n", args[0], n)
	return nil
}

func runRestore(cmd *cobra.Command, args []string) error {
	r, err := connect(cmd)
	if err != nil {
		return err
	}
	f, err := openInput(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	resp, err := r.stream(r.long.PutBackupWithBody(cmd.Context(), "application/octet-stream",
		watched(cmd, f, info.Size()), sized(info.Size())))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var done api.Restored
	if err := json.NewDecoder(resp.Body).Decode(&done); err != nil {
		return err
	}
	if wantsJSON(cmd) {
		return printJSON(cmd, done)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entries restored", args[0], done.Entries)
	if !done.MadeAt.IsZero() {
		fmt.Fprintf(cmd.OutOrStdout(), ", as of %s", done.MadeAt.Format(time.RFC3339))
	}
	if done.Kept != "" {
		fmt.Fprintf(cmd.OutOrStdout(), "; what was there before is kept as %s", done.Kept)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

// watched shows how much of a file was read, in MiB, when it is worth it.
func watched(cmd *cobra.Command, r io.Reader, size int64) io.Reader {
	if size < 8<<20 {
		return r
	}
	return &watchedReader{Reader: r, cmd: cmd, all: size}
}

type watchedReader struct {
	io.Reader
	cmd       *cobra.Command
	done, all int64
}

func (w *watchedReader) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	from := w.done
	if w.done += int64(n); w.done>>20 != from>>20 {
		progress(w.cmd, int(from>>20), int(w.done>>20), int(w.all>>20))
	}
	return n, err
}

// stream is the answer of a call whose body or answer may be of any size.
func (r *remote) stream(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return nil, r.unanswered(err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return nil, errors.Join(err, refused(api.ErrorOf(resp.StatusCode, text)))
}

// sized tells the server how much a call sends.
func sized(size int64) api.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.ContentLength = size
		return nil
	}
}
