package runfolder

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// A document with a seal is the same document with one member more, whose value anybody can compute.
func TestSealIsTheHashOfTheRest(t *testing.T) {
	value := map[string]any{"a": 1.25, "b": []any{"x", nil}, "config_hash": "0"}
	compact, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("%x", sha256.Sum256(compact))
	indented, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range [][]byte{compact, indented, append(bytes.Clone(indented), '\n')} {
		sealed := Seal(doc)
		var read map[string]any
		if err := json.Unmarshal(sealed, &read); err != nil {
			t.Fatalf("%s: %v", sealed, err)
		}
		if read["hash"] != want || len(read) != len(value)+1 {
			t.Errorf("%s: want the hash %s beside the members that were there", sealed, want)
		}
		body, ok, err := Unseal(sealed)
		if err != nil || !ok || !bytes.Equal(body, compact) {
			t.Errorf("%s unsealed is %s (%v, %v)", sealed, body, ok, err)
		}
	}
	if sealed := string(Seal(append(indented, '\n'))); !strings.HasSuffix(sealed, ",\n \"hash\": \""+want+"\"\n}\n") {
		t.Errorf("the seal does not stand as a member among the others:\n%s", sealed)
	}
	for _, doc := range []string{"", "{}", "[1]", "1", `{"a":`, "[1, 2, 3, 4]", `[{"a":1}]`, "12345678"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("sealed %q", doc)
				}
			}()
			Seal([]byte(doc))
		}()
	}
}

// Whichever bit is flipped: the document is told to be damaged, or it is no JSON, or it has no seal but a member that nobody
// knows, or only white space has changed.
func TestEveryBitBreaksTheSeal(t *testing.T) {
	type document struct {
		Name  string
		Value float64
	}
	plain := []byte("{\n \"name\": \"n\",\n \"value\": 7.0625\n}\n")
	sealed := Seal(plain)
	changed, unknown, broken, white := 0, 0, 0, 0
	for bit := range 8 * len(sealed) {
		b := bytes.Clone(sealed)
		b[bit/8] ^= 1 << (bit % 8)
		body, ok, err := Unseal(b)
		strict := json.NewDecoder(bytes.NewReader(body))
		strict.DisallowUnknownFields()
		var d document
		switch {
		case errors.Is(err, ErrChanged):
			changed++
		case err != nil:
			broken++
		case ok && bytes.Equal(b[bit/8:bit/8+1], []byte{'\n'}), ok && bytes.ContainsAny(b[bit/8:bit/8+1], " \t\r\n"):
			white++
		case !ok && strict.Decode(&d) != nil:
			unknown++
		default:
			t.Errorf("bit %d: %s is believed", bit, b)
		}
	}
	if changed == 0 || unknown == 0 || broken == 0 {
		t.Errorf("%d changed, %d with an unknown member, %d no JSON, %d white: the test has seen too little", changed, unknown, broken, white)
	}
	if body, ok, err := Unseal(plain); err != nil || ok || !json.Valid(body) {
		t.Errorf("a document of an earlier version: %s, %v, %v", body, ok, err)
	}
}
