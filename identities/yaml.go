package identities

import (
	"bytes"
	"errors"
	"io"

	"pscemu.invalid/pscemu/identities/yamltext"
	"pscemu.invalid/pscemu/internal/problem"
)

// readYAML reads our own form. Every plain scalar is text, so that codes and
// identifiers need no quotes; aliases and tags are refused. A long list is read
// person by person.
func readYAML(s *source, fn func(*Identity) error) ([]string, error) {
	size, err := s.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	in, err := s.open()
	if err != nil {
		return nil, err
	}
	if size > yamltext.MaxWhole {
		return longYAML(in, fn)
	}
	raw, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return partYAML(raw, 0, fn)
}

// partYAML reads the people of a text that begins on this line.
func partYAML(raw []byte, line int, fn func(*Identity) error) ([]string, error) {
	asJSON, err := yamltext.ToJSON(raw, yamltext.Reading{Line: line})
	if err != nil {
		return nil, noYAML(err)
	}
	if asJSON[0] != '{' && asJSON[0] != '[' {
		return nil, problem.ImportInvalid.Case("nobody").Got(string(raw))
	}
	return readJSON(&source{bytes.NewReader(asJSON)}, fn)
}

// longYAML reads a list, or the items of a listing, piece by piece.
func longYAML(in io.Reader, fn func(*Identity) error) (warnings []string, err error) {
	n := 0
	err = yamltext.Split(in, func(p yamltext.Part) error {
		if !p.Item {
			return nil
		}
		n++
		more, err := partYAML(p.Text, p.Line, fn)
		warnings = append(warnings, more...)
		if err != nil {
			return errRow{err}
		}
		return nil
	})
	var row errRow
	switch {
	case errors.As(err, &row):
		return nil, row.error
	case err != nil:
		return nil, noYAML(err)
	case n == 0:
		return nil, noYAML(yamltext.ErrNotBlocks)
	}
	return warnings, nil
}

// noYAML is the refusal of a YAML.
func noYAML(err error) error {
	switch {
	case errors.Is(err, yamltext.ErrTooDeep):
		return problem.ImportTooDeep.With("most", yamltext.MaxDepth)
	case errors.Is(err, yamltext.ErrTooLarge) || errors.Is(err, yamltext.ErrNotBlocks):
		return problem.ImportTooLarge.With("most", yamltext.MaxWhole).Got(err.Error())
	}
	return problem.ImportInvalid.Case("yaml").Got(err.Error())
}
