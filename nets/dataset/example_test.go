package dataset_test

import (
	"fmt"

	"tqn/nets/dataset"
)

// The subset of Fashion-MNIST that is part of the binary needs no download.
func ExampleOpen() {
	set, err := dataset.Open("embedded", dataset.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Train.Len(), "images to train with,", set.Test.Len(), "to test with, of", len(set.Classes), "classes")
	// Output: 10000 images to train with, 2000 to test with, of 10 classes
}
