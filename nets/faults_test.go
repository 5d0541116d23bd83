package nets

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tqn/nets/kernel"
	"tqn/nets/network"
	"tqn/runfolder"
)

type disk = runfolder.Disk

// listing is what lies below a folder, and of each file its content.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			files[path] = d.Type().String()
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameFiles(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

// A run whose checks fail leaves nothing: no folder, no lock, no config.json, so that the same folder takes another run.
func TestFailedChecksLeaveNoClaim(t *testing.T) {
	good := tiny(t)
	for name, change := range map[string]func(*Config, *Where){
		"a batch larger than the set": func(c *Config, _ *Where) { c.Batch = 32 },
		"more images than there are":  func(c *Config, _ *Where) { c.Data, c.Classes, c.Size, c.TrainImages = "embedded", 0, 0, 1<<20 },
		"data that is not here":       func(c *Config, w *Where) { c.Data, c.Classes, c.Size, w.DataDir = "cifar10", 0, 0, "/nowhere" },
		"a net that does not fit":     func(c *Config, _ *Where) { c.Size = 12 },
		"an engine that does not start": func(_ *Config, w *Where) {
			w.NewEngine = func(network.Model, network.Hyper) (network.Engine, error) { return nil, errors.New("no device") }
		},
	} {
		top := t.TempDir()
		for _, below := range []string{"", "new/run"} {
			c, w := good, Where{Dir: filepath.Join(top, below)}
			change(&c, &w)
			before := listing(t, top)
			if _, err := Train(context.Background(), c, w); err == nil {
				t.Fatalf("%s: no error", name)
			}
			if after := listing(t, top); !sameFiles(before, after) {
				t.Errorf("%s: left %v", name, after)
			}
			train(t, good, Where{Dir: w.Dir})
			finished := listing(t, top)
			if _, err := Train(context.Background(), c, w); err == nil && c.Hash() != good.Hash() {
				t.Fatalf("%s: no error in the folder of another run", name)
			}
			if after := listing(t, top); !sameFiles(finished, after) {
				t.Errorf("%s: changed the folder of another run", name)
			}
		}
	}
}

// A checkpoint that the file system does not give out may be whole: the run fails in a way that can be tried again, and
// changes nothing. A link to itself stands for every reason, since permissions do not stop root.
func TestUnreadableCheckpointIsKept(t *testing.T) {
	c := tiny(t)
	for _, names := range [][]string{{checkpointName}, {checkpointOlder}, {checkpointName, checkpointOlder}} {
		dir := interruptedRun(t, c)
		for _, name := range names {
			path := filepath.Join(dir, name)
			if err := errors.Join(os.Remove(path), os.Symlink(name, path)); err != nil {
				t.Fatal(err)
			}
		}
		before := listing(t, dir)
		_, err := Train(context.Background(), c, Where{Dir: dir, Warn: func(s string) { t.Errorf("%v: warned %q", names, s) }})
		if !errors.Is(err, runfolder.ErrStorage) || !Retryable(err) || strings.Contains(err.Error(), "damaged") {
			t.Errorf("%v: error %v, want a storage error", names, err)
		}
		if after := listing(t, dir); !sameFiles(before, after) {
			t.Errorf("%v: the folder has changed: %v", names, after)
		}
		if names[0] == checkpointOlder { // only the newest is read, or asked whether it is whole
			continue
		}
		if _, err := Eval(dir, EvalOptions{}); !errors.Is(err, runfolder.ErrStorage) {
			t.Errorf("%v: eval: %v", names, err)
		}
		if err := saveCheckpoint(disk{}, dir, &checkpoint{}); err == nil {
			t.Errorf("%v: overwritten", names)
		}
	}
	for _, name := range []string{checkpointName, weightsName, packedName, "manifest.json.tmp"} {
		dir := interruptedRun(t, c)
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := Train(context.Background(), c, Where{Dir: dir}); err == nil || !strings.Contains(err.Error(), name+" is a folder: want a plain file") {
			t.Errorf("a folder in place of %s: %v", name, err)
		}
	}
	for _, name := range []string{"config.json", "metrics.jsonl", weightsName, packedName, "manifest.json", "result.json"} {
		dir := interruptedRun(t, c)
		path := filepath.Join(dir, name)
		os.Remove(path)
		if err := os.Symlink(name, path); err != nil {
			t.Fatal(err)
		}
		before := listing(t, dir)
		if _, err := Train(context.Background(), c, Where{Dir: dir}); !errors.Is(err, runfolder.ErrStorage) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if after := listing(t, dir); !sameFiles(before, after) {
			t.Errorf("%s: the folder has changed: %v", name, after)
		}
	}
	dir, elsewhere := interruptedRun(t, c), filepath.Join(t.TempDir(), "thesis")
	if err := errors.Join(os.WriteFile(elsewhere, []byte("chapter 1"), 0o644), os.Symlink(elsewhere, filepath.Join(dir, "metrics.jsonl.tmp"))); err != nil {
		t.Fatal(err)
	}
	if _, err := Train(context.Background(), c, Where{Dir: dir}); err == nil || !strings.Contains(err.Error(), "metrics.jsonl.tmp is a symbolic link: want a plain file") {
		t.Errorf("a link in place of a temporary file: %v", err)
	}
	if string(read(t, elsewhere)) != "chapter 1" {
		t.Error("the run wrote through a link")
	}
}

// What a run finds in its folder and would not write itself is kept under another name, with a word on why; the result is the same as ever.
func TestWhatIsFoundIsKept(t *testing.T) {
	c := tiny(t)
	result, weights := uninterrupted(t, c)
	longer := t.TempDir()
	train(t, c, Where{Dir: longer})
	metrics := string(read(t, longer, "metrics.jsonl"))
	first, _, _ := strings.Cut(metrics, "\n")
	for name, x := range map[string]struct {
		file, text, word string // no word: it is the run's own, and replaced
	}{
		"no JSON":               {"metrics.jsonl", first + "\nlearned a lot today\n", "line 2: invalid character 'l'"},
		"cut short":             {"metrics.jsonl", first[:len(first)/2], "line 1: unexpected end"},
		"later epochs":          {"metrics.jsonl", metrics, "it tells of 3 epochs, and the run goes on after 1"},
		"another run's":         {"metrics.jsonl", first + "\n", "line 1: it is not what the checkpoint says of epoch 1"}, // its times are others
		"nothing yet":           {"metrics.jsonl", "", ""},
		"its own weights":       {weightsName, string(weights), ""},
		"other weights":         {weightsName, "mine", "it holds other weights than this run's"},
		"weights of this size":  {weightsName, strings.Repeat("x", len(weights)), "it holds other weights than this run's"},
		"more weights":          {weightsName, string(weights) + "x", "want at most"},
		"other packed weights":  {packedName, "mine", "it holds other weights than this run's"},
		"a manifest":            {"manifest.json", string(read(t, longer, "manifest.json")), ""},
		"a manifest of a cargo": {"manifest.json", "12 bales of cotton", "invalid character"},
	} {
		dir := interruptedRun(t, c)
		path := filepath.Join(dir, x.file)
		if err := errors.Join(os.WriteFile(path, []byte(x.text), 0o644), os.WriteFile(path+".kept", []byte("earlier"), 0o644)); err != nil {
			t.Fatal(err)
		}
		var warned []string
		train(t, c, Where{Dir: dir, Warn: func(s string) { warned = append(warned, s) }})
		same(t, name, dir, result, weights)
		kept, err := os.ReadFile(path + ".kept2")
		said := strings.Join(warned, "\n")
		if x.word == "" {
			if err == nil || said != "" {
				t.Errorf("%s: kept %q, said %q", name, kept, said)
			}
			continue
		}
		if string(kept) != x.text || !strings.Contains(said, path+" is kept as "+x.file+".kept2: ") || !strings.Contains(said, x.word) {
			t.Errorf("%s: kept %q (%v), said %q", name, kept, err, said)
		}
		if string(read(t, path+".kept")) != "earlier" {
			t.Errorf("%s: what was kept before is gone", name)
		}
	}
}

// If the newest checkpoint is damaged, a save that fails at any call leaves the older one, which is good; and one that succeeds does not
// put the damaged one in its place.
func TestFailedSaveKeepsTheGoodGeneration(t *testing.T) {
	of := func(epoch int) *checkpoint {
		return &checkpoint{checkpointHeader: checkpointHeader{Epoch: epoch}}
	}
	any := func(*checkpoint) error { return nil }
	damaged := func() string {
		dir := t.TempDir()
		for epoch := 1; epoch <= 2; epoch++ {
			if err := saveCheckpoint(disk{}, dir, of(epoch)); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(dir, checkpointName)
		b := read(t, path)
		b[20] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	count := &faults{}
	if err := saveCheckpoint(count, damaged(), of(3)); err != nil {
		t.Fatal(err)
	}
	for _, crash := range []bool{false, true} {
		for k := 1; k <= count.calls; k++ {
			dir := damaged()
			if err := saveCheckpoint(&faults{fail: k, crash: crash, err: errors.New("input/output error"), partial: true}, dir, of(3)); err == nil {
				t.Errorf("call %d (%s) failed and nobody said so", k, count.seen[k-1])
			}
			c, _, err := loadCheckpoint(dir, math.MaxInt64, any, func(string) {})
			if err != nil || c == nil || c.Epoch != 1 && c.Epoch != 3 {
				t.Fatalf("call %d (%s), crash %v: %+v, %v", k, count.seen[k-1], crash, c, err)
			}
		}
	}
	dir := damaged()
	if err := saveCheckpoint(disk{}, dir, of(3)); err != nil {
		t.Fatal(err)
	}
	if c, err := readCheckpoint(filepath.Join(dir, checkpointOlder), math.MaxInt64); err != nil || c.Epoch != 1 {
		t.Errorf("the older generation is %+v, %v", c, err)
	}
}

// rewritten is a safetensors file with another header and the same data.
func rewritten(b []byte, change func(header string) string) []byte {
	n := binary.LittleEndian.Uint64(b)
	header := change(string(b[8 : 8+n]))
	for len(header)%8 != 0 {
		header += " "
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), b[8+n:]...)
}

// Whatever is done to a file of weights, eval says what is wrong with it and computes nothing.
func TestChangedWeightsAreRefused(t *testing.T) {
	c := tiny(t)
	c.Method = "bc"
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			return rewritten(b, func(header string) string {
				if !strings.Contains(header, from) {
					t.Fatalf("no %s in %s", from, header)
				}
				return strings.Replace(header, from, to, 1)
			})
		}
	}
	value := func(v float32) func([]byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[len(b)-4:], math.Float32bits(v))
			return b
		}
	}
	for name, x := range map[string]struct {
		file, words string
		damage      func([]byte) []byte
	}{
		"a transposed convolution": {weightsName, "of shape [4 3 3 3] and type F32; the model wants [3 3 3 4]", replace(`"shape":[3,3,3,4]`, `"shape":[4,3,3,3]`)},
		"a vector as a matrix":     {weightsName, "bn_1.beta", replace(`"bn_1.beta":{"dtype":"F32","shape":[4]`, `"bn_1.beta":{"dtype":"F32","shape":[2,2]`)},
		"another name":             {weightsName, `"bn_1.beta" is missing`, replace(`"bn_1.beta"`, `"bn_1.bias"`)},
		"a value that is NaN":      {weightsName, "is NaN; want finite", value(float32(math.NaN()))},
		"an infinite value":        {weightsName, "is +Inf; want finite", value(float32(math.Inf(1)))},
		"another value":            {weightsName, "not the run's weights", value(0.25)},
		"other metadata":           {weightsName, "not the run's weights", replace(`"format":"tqn"`, `"format":"TQN"`)},
		"cut short":                {weightsName, "outside the", func(b []byte) []byte { return b[:len(b)-4] }},
		"empty":                    {weightsName, "too few", func([]byte) []byte { return nil }},
		"the packed file":          {weightsName, "", func([]byte) []byte { return read(t, dir, packedName) }},
		"packed: a bit":            {packedName, "not the run's weights", func(b []byte) []byte { b[8+binary.LittleEndian.Uint64(b)] ^= 1; return b }},
		"packed: another value":    {packedName, "not the run's weights", value(0.25)},
		"packed: NaN":              {packedName, "is NaN", value(float32(math.NaN()))},
		"packed: another shape":    {packedName, "[3 3 3 4]", replace(`"conv_1.weight.shape":"[3 3 3 4]"`, `"conv_1.weight.shape":"[3 3 4 3]"`)},
		"packed: other words":      {packedName, "other bytes", replace("bit i", "Bit i")},
		"packed: one word more":    {packedName, "other bytes", replace(`"bits":`, `"extra.shape":"[1]","bits":`)},
	} {
		path := filepath.Join(dir, x.file)
		whole := read(t, path)
		which := map[string]string{weightsName: "full", packedName: "packed"}[x.file]
		if _, err := Eval(dir, EvalOptions{Weights: which}); err != nil {
			t.Fatalf("the whole file: %v", err)
		}
		if err := os.WriteFile(path, x.damage(slices.Clone(whole)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Eval(dir, EvalOptions{Weights: which})
		switch {
		case name == "the packed file": // the same weights under another name are still the run's
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || !strings.Contains(err.Error(), x.words) || !strings.Contains(err.Error(), path):
			t.Errorf("%s: error %v, want %q and %s", name, err, x.words, path)
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Without the result there is nothing that vouches for the file.
	if err := os.Rename(filepath.Join(dir, "result.json"), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	for _, which := range []string{"full", "packed"} {
		if _, err := Eval(dir, EvalOptions{Weights: which}); err == nil || !strings.Contains(err.Error(), "no result.json") {
			t.Errorf("%s without a result: %v", which, err)
		}
	}
}

// Every bit of a finished run's files counts. Whichever is flipped, each command that reads the file refuses it, or says that it uses
// another one, or finds what it found before (as where white space has changed).
func TestEveryBitOfAFinishedRunCounts(t *testing.T) {
	c := tiny(t)
	c.Method = "bc"
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	type found struct {
		run       Run
		again     Result
		evaluated [3]EvalResult
	}
	// look is what all readers say; warned tells that one of them has warned.
	look := func() (f found, refused int, warned bool) {
		count := func(err error) {
			if err != nil {
				refused++
			}
		}
		warn := func(string) { warned = true }
		var err error
		f.run, err = ReadRun(dir)
		count(err)
		f.again, err = Train(t.Context(), c, Where{Dir: dir, Warn: warn, NewEngine: func(network.Model, network.Hyper) (network.Engine, error) {
			return nil, errors.New("a finished run is not trained again")
		}})
		count(err)
		for i, which := range []string{"checkpoint", "full", "packed"} {
			f.evaluated[i], err = Eval(dir, EvalOptions{Weights: which, Threads: 1, Warn: warn})
			count(err)
		}
		return f, refused, warned
	}
	before, refused, warned := look()
	if refused > 0 || warned || !before.again.Sealed {
		t.Fatalf("the whole run: %d readers refuse it (warned: %v), sealed: %v", refused, warned, before.again.Sealed)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 9 {
		t.Fatalf("files %v (%v)", names, err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	flips := 36 // of each of nine files
	if testing.Short() {
		flips = 6
	}
	for _, path := range names {
		whole := read(t, path)
		same := 0
		for range flips {
			bit := random.IntN(8 * len(whole))
			b := slices.Clone(whole)
			b[bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			after, refused, warned := look()
			switch {
			case refused > 0 || warned:
			case reflect.DeepEqual(before, after):
				same++
			default:
				t.Errorf("%s: bit %d of %d is flipped, and nobody says so:\n%+v\n%+v", path, bit, 8*len(whole), before, after)
			}
		}
		t.Logf("%s: %d of %d flips change nothing that is read, the others are refused or named", filepath.Base(path), same, flips)
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		unused := []string{"lock", checkpointOlder} // by these readers, while the others are whole
		if same == flips && !slices.Contains(unused, filepath.Base(path)) {
			t.Errorf("%s: no flip was seen", path)
		}
	}
}

// The configuration of a run that is not finished has a hash of itself: whichever bit of it is flipped, the run is not continued, evaluated or
// compared, or nothing has changed but white space.
func TestEveryBitOfAConfigurationCounts(t *testing.T) {
	c := tiny(t)
	dir := interruptedRun(t, c)
	path := filepath.Join(dir, "config.json")
	whole := read(t, path)
	before, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for bit := range 8 * len(whole) {
		b := slices.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		after, err := ReadRun(dir)
		if _, terr := sameRun(c, dir); (err == nil) != (terr == nil) {
			t.Errorf("bit %d: compare says %v, train %v", bit, err, terr)
		}
		if err != nil {
			refused++
		} else if !reflect.DeepEqual(before, after) {
			t.Fatalf("bit %d is flipped, and nobody says so: %s", bit, b)
		}
	}
	if refused < 7*len(whole) {
		t.Errorf("%d of %d flips are refused", refused, 8*len(whole))
	}
	// A copy for another run may be edited, by hand or by a program; in the run's own folder it may not.
	edited := bytes.Replace(whole, []byte(`"seed": 3`), []byte(`"seed": 4`), 1)
	if other, err := ParseConfig(edited); err != nil || other.Seed != 4 {
		t.Errorf("a copy with another seed: %+v, %v", other, err)
	}
	if err := os.WriteFile(path, edited, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadRun(dir); !errors.Is(err, runfolder.ErrChanged) || !strings.Contains(err.Error(), path) {
		t.Errorf("the run's own with another seed: %v", err)
	}
}

// A result of an earlier version, without a hash of itself, is read as before, and whoever relies on it is told.
func TestResultsWithoutAHashAreRead(t *testing.T) {
	c := tiny(t)
	dir := t.TempDir()
	r := train(t, c, Where{Dir: dir})
	for _, name := range []string{"result.json", "metrics.jsonl"} {
		path := filepath.Join(dir, name)
		var plain []byte
		for line := range bytes.Lines(read(t, path)) {
			if name == "metrics.jsonl" {
				body, sealed, err := runfolder.Unseal(line)
				if err != nil || !sealed {
					t.Fatalf("%s: %v, %v", line, sealed, err)
				}
				plain = append(append(plain, body...), '\n')
			}
		}
		if name == "result.json" {
			var err error
			if plain, err = json.MarshalIndent(r, "", " "); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, plain, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run, err := ReadRun(dir)
	if err != nil || run.Result.Sealed || run.Result.WeightHash != r.WeightHash {
		t.Errorf("%+v, %v", run.Result, err)
	}
	told := ""
	if _, err := Eval(dir, EvalOptions{Weights: "full", Warn: func(s string) { told += s }}); err != nil || !strings.Contains(told, "no hash of itself") {
		t.Errorf("eval says %q (%v)", told, err)
	}
	// A seal that has lost its name is no earlier version.
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, spoilt := range []string{"hasi", "Hash", "hash "} {
		if _, err := parseResult(bytes.Replace(runfolder.Seal(b), []byte(`,"hash":`), []byte(`,"`+spoilt+`":`), 1)); err == nil {
			t.Errorf("a seal called %q is overlooked", spoilt)
		}
	}
}

func TestEvalNamesTheFileItUsed(t *testing.T) {
	c := tiny(t)
	dir := interruptedRun(t, c)
	for _, name := range []string{checkpointName, checkpointOlder} {
		e, err := Eval(dir, EvalOptions{})
		if want := filepath.Join(dir, name); err != nil || e.Weights != want {
			t.Errorf("eval used %q (%v), want %q", e.Weights, err, want)
		}
		if err := os.Truncate(filepath.Join(dir, name), 100); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := Eval(dir, EvalOptions{}); err == nil || !strings.Contains(err.Error(), "no usable checkpoint") {
		t.Errorf("eval of damaged checkpoints: %+v, %v", e, err)
	}
}

// A result is believed only if its parts agree.
func TestContradictoryResultsAreRefused(t *testing.T) {
	c := tiny(t)
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	whole := read(t, dir, "result.json")
	if _, err := parseResult(whole); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Result){
		"no epochs":                   func(r *Result) { r.Epochs = nil },
		"an epoch missing":            func(r *Result) { r.Epochs = r.Epochs[:2] },
		"the first epoch missing":     func(r *Result) { r.Epochs = append(r.Epochs[1:], r.Epochs[2]) },
		"an epoch too many":           func(r *Result) { r.Epochs = append(r.Epochs, r.Epochs[2]) },
		"epochs in another order":     func(r *Result) { slices.Reverse(r.Epochs) },
		"another test error":          func(r *Result) { r.TestError = math.Mod(r.TestError+100./9, 100) },
		"another loss":                func(r *Result) { r.TestLoss += 0.1 },
		"another training error":      func(r *Result) { r.TrainError = math.Mod(r.TrainError+100./24, 100) },
		"another training loss":       func(r *Result) { r.TrainLoss += 0.1 },
		"a best error that is not":    func(r *Result) { r.BestError = 0 },
		"an error of half an image":   func(r *Result) { r.Epochs[0].TestError = 100. / 18 },
		"an error above 100":          func(r *Result) { r.Epochs[0].TrainError = 200 },
		"a negative loss":             func(r *Result) { r.Epochs[0].TestLoss = -1 },
		"another learning rate":       func(r *Result) { r.Epochs[1].Alpha *= 2 },
		"other steps":                 func(r *Result) { r.Steps++ },
		"more images":                 func(r *Result) { r.TrainImages *= 2 },
		"other test images":           func(r *Result) { r.TestImages = 18 },
		"another seed":                func(r *Result) { r.Config.Seed++ },
		"another method":              func(r *Result) { r.Config.Method = "adam"; r.ConfigHash = r.Config.Hash() },
		"another hash":                func(r *Result) { r.ConfigHash = strings.Repeat("0", 64) },
		"no hash of the weights":      func(r *Result) { r.WeightHash = "" },
		"a hash that is none":         func(r *Result) { r.WeightHash = strings.Repeat("x", 64) },
		"no packed weights":           func(r *Result) { r.PackedBytes = 0 },
		"no kernel":                   func(r *Result) { r.Kernel = "" },
		"no data":                     func(r *Result) { r.DataChecksum = "" },
		"a layer missing":             func(r *Result) { r.Epochs[1].Layers = r.Epochs[1].Layers[1:] },
		"a layer missing throughout":  func(r *Result) { each(r, func(e *Epoch) { e.Layers = e.Layers[1:] }) },
		"another layer":               func(r *Result) { r.Epochs[1].Layers[0].Layer = "conv_9" },
		"weights of another net":      func(r *Result) { each(r, func(e *Epoch) { e.Layers[0].Weights *= 2 }) },
		"half a sign":                 func(r *Result) { r.Epochs[0].Layers[0].Changed = 50. / float64(r.Epochs[0].Layers[0].Weights) },
		"more flips than weights":     func(r *Result) { r.Epochs[0].Layers[0].Flips = 101 },
		"a negative distance":         func(r *Result) { r.Epochs[0].Layers[0].Distance = -1 },
		"a window that is not there":  func(r *Result) { r.Epochs[0].Layers[0].Window = nil },
		"a configuration of defaults": func(r *Result) { r.Config = Config{} },
	} {
		var r Result
		if err := json.Unmarshal(whole, &r); err != nil {
			t.Fatal(err)
		}
		change(&r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseResult(b); err == nil {
			t.Errorf("%s: believed", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "result.json"), bytes.Replace(whole, []byte(`"epoch": 1,`), []byte(`"epoch": 2,`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	for what, do := range map[string]func() error{
		"train":   func() error { _, err := Train(context.Background(), c, Where{Dir: dir}); return err },
		"eval":    func() error { _, err := Eval(dir, EvalOptions{Weights: "full"}); return err },
		"compare": func() error { _, err := ReadRun(dir); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "result.json") || Retryable(err) {
			t.Errorf("%s of a contradictory result: %v", what, err)
		}
	}
}

func each(r *Result, change func(*Epoch)) {
	for i := range r.Epochs {
		change(&r.Epochs[i])
	}
}

// The metrics of a finished run tell the epochs of its result.
func TestMetricsAgreeWithTheResult(t *testing.T) {
	c := tiny(t)
	dir := t.TempDir()
	train(t, c, Where{Dir: dir})
	if r, err := ReadRun(dir); err != nil || r.Result == nil || len(r.Epochs) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	lines := strings.SplitAfter(string(read(t, dir, "metrics.jsonl")), "\n")
	for name, text := range map[string]string{
		"a line missing": lines[0] + lines[1],
		"a line twice":   lines[0] + lines[1] + lines[1],
		"none":           "",
		"half a line":    lines[0] + lines[1] + lines[2][:40],
		"another loss":   strings.Replace(strings.Join(lines, ""), `"train_loss":1`, `"train_loss":2`, 1),
	} {
		if text == strings.Join(lines, "") {
			continue // no loss begins with 1
		}
		if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRun(dir); err == nil || !strings.Contains(err.Error(), "metrics.jsonl") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A run that is continued with a kernel that rounds otherwise is refused, or, if that is allowed, names both. avx2 and
// avx512 round alike.
func TestARunNamesEveryKernel(t *testing.T) {
	c := tiny(t)
	has := kernel.Implementations()
	if !slices.Contains(has, "avx2") {
		t.Skip("one kernel here")
	}
	dir := interruptedRun(t, c) // on the generic kernels
	before := listing(t, dir)
	t.Setenv("TQN_KERNEL", "avx2")
	if _, err := Train(context.Background(), c, Where{Dir: dir}); !errors.Is(err, ErrOtherKernel) || !Retryable(err) || !strings.Contains(err.Error(), "TQN_KERNEL=generic") {
		t.Errorf("error %v", err)
	}
	if !sameFiles(before, listing(t, dir)) {
		t.Error("the refusal changed the folder")
	}
	if r := train(t, c, Where{Dir: dir, KernelChange: true}); r.Kernel != "generic+avx2" {
		t.Errorf("the result names %q", r.Kernel)
	}
	if !slices.Contains(has, "avx512") {
		return
	}
	// The same bits whichever of the two took part, and both are named.
	whole := t.TempDir()
	train(t, c, Where{Dir: whole})
	dir = interruptedOn(t, c, "avx2")
	t.Setenv("TQN_KERNEL", "avx512")
	if r := train(t, c, Where{Dir: dir}); r.Kernel != "avx2+avx512" {
		t.Errorf("the result names %q", r.Kernel)
	}
	if !bytes.Equal(read(t, dir, weightsName), read(t, whole, weightsName)) {
		t.Error("avx2 continued with avx512 gives other weights than avx2 alone")
	}
}

func interruptedOn(t *testing.T, c Config, name string) string {
	t.Helper()
	t.Setenv("TQN_KERNEL", name)
	return interruptedRun(t, c)
}

func TestKernelsAreJoined(t *testing.T) {
	for _, x := range []struct {
		so, kernel string
		allowed    bool
		want       string // empty: refused
	}{
		{"generic", "generic", false, "generic"},
		{"generic", "avx512", false, ""},
		{"generic", "avx512", true, "generic+avx512"},
		{"generic+avx512", "generic", false, "generic+avx512"}, // the change was allowed before
		{"generic+avx512", "amx", false, ""},
		{"avx512", "avx2", false, "avx512+avx2"},
		{"avx512", "mixed", false, ""},
		{"pjrt a+b", "pjrt a+b", false, "pjrt a+b"},
	} {
		got, err := joinKernels(x.so, x.kernel, x.allowed)
		if (err == nil) != (x.want != "") || err == nil && got != x.want {
			t.Errorf("%q and %q (allowed %v): %q, %v; want %q", x.so, x.kernel, x.allowed, got, err, x.want)
		}
	}
}

// The refusal says what would go on with the kernel that the run was begun with: a value of TQN_KERNEL, and the flags that differ.
func TestRefusedKernelsAreToldHow(t *testing.T) {
	const cuda = "pjrt cuda, NVIDIA H100, tf32 (plugin.so, 1)"
	for _, x := range []struct{ begun, now, want string }{
		{"mixed", "avx512", "set TQN_KERNEL=mixed if this machine has it, or"},
		{"mixed", "amx-bf16", "set TQN_KERNEL=mixed if this machine has it, and leave out --precision bf16, or"},
		{"amx-bf16", "mixed", "set TQN_KERNEL=amx if this machine has it, and give --precision bf16, or"},
		{"amx-bf16", "avx512-bf16", "set TQN_KERNEL=amx if this machine has it, or"},
		{"mixed", cuda, "set TQN_KERNEL=mixed if this machine has it, without --engine pjrt, or"},
		{"amx-bf16", cuda, "without --engine pjrt, and give --precision bf16, or"},
		{cuda, "mixed", "go on with --engine pjrt and the precision"},
	} {
		if _, err := joinKernels(x.begun, x.now, false); !errors.Is(err, ErrOtherKernel) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s, then %s: %v, want %q", x.begun, x.now, err, x.want)
		}
	}
}

// A run that fails before its first checkpoint does not speak of one; after it, it says which.
func TestNoCheckpointNoComfort(t *testing.T) {
	c := tiny(t)
	c.Method, c.LearningRate = "adam", 1e30
	dir := t.TempDir()
	_, err := Train(context.Background(), c, Where{Dir: dir})
	var n *network.NonFiniteError
	if !errors.As(err, &n) || !strings.Contains(err.Error(), "there is no checkpoint yet") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, checkpointName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("and there is one: %v", err)
	}
}
