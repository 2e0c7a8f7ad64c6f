package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
)

func newBackup() *cobra.Command {
	cmd := command("backup FILE", "Copy everything the running emulator keeps into a file, while it goes on", 1, runBackup)
	remoteFlags(cmd)
	return cmd
}

func newRestore() *cobra.Command {
	cmd := command("restore FILE", "Put a backup in the place of everything the running emulator keeps", 1, runRestore)
	cmd.Long = cmd.Short + ".\nThe file is checked first; what was there before stays beside the data file as pscemu.db.before-restore.\nA stopped emulator is restored by copying FILE to DATA/pscemu.db."
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
	body, err := r.stream(http.MethodGet, "/backup", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.OpenFile(args[0]+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, body)
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
	body, err := r.stream(http.MethodPut, "/backup", f)
	if err != nil {
		return err
	}
	return body.Close()
}

// stream is a call of the control API whose body or answer may be of any size.
func (r *remote) stream(method, path string, in *os.File) (io.ReadCloser, error) {
	req, err := http.NewRequest(method, r.ready.APIURL+path, nil)
	if err != nil {
		return nil, err
	}
	if in != nil {
		info, err := in.Stat()
		if err != nil {
			return nil, err
		}
		req.Body, req.ContentLength = in, info.Size()
	}
	req.Header.Set("Authorization", "Bearer "+r.ready.APIToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", errNoServer, r.ready.APIURL, err)
	}
	if resp.StatusCode < 400 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return nil, errors.Join(err, refused(resp, text))
}
