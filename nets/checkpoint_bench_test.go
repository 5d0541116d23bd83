package nets

import (
	"math"
	"testing"
	"tqn/runfolder"
)

// BenchmarkCheckpoint writes and reads the checkpoint of a full-size network. The training loop writes one a minute and one
// an epoch: the overhead in percent of training is ms/op / 600 for the former.
func BenchmarkCheckpoint(b *testing.B) {
	for _, net := range []string{"vgg9", "vgg-bc", "resnet56"} {
		config, err := Config{Net: net, Method: "bc", Data: "textures", Batch: 2, Epochs: 1, TrainImages: 10, TestImages: 10}.Resolve()
		if err != nil {
			b.Fatal(err)
		}
		where := Where{Dir: b.TempDir(), files: runfolder.Disk{}, Warn: func(string) {}}
		t, err := prepare(config, where)
		if err != nil {
			b.Fatal(err)
		}
		defer t.close()
		size := int64(0)
		for _, ts := range t.engine.Tensors() {
			size += int64(4 * ts.Len())
		}
		b.Run("op=write/net="+net, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				if err := t.save(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=resume/net="+net, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				c, _, err := loadCheckpoint(where.Dir, math.MaxInt64, func(*checkpoint) error { return nil }, where.Warn)
				if err != nil {
					b.Fatal(err)
				}
				for _, ts := range t.engine.Tensors() {
					t.engine.Set(ts.Name, c.tensors[ts.Name])
				}
			}
		})
	}
}
