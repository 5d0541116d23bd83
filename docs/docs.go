// Package docs carries the pages that the command shows: the lesson of the paper with its pictures.
package docs

import "embed"

// Lesson is lesson.md, the paper's lesson on one screen.
//
//go:embed lesson.md
var Lesson string

// Pictures holds the pictures of the lesson, under the paths that it names.
//
//go:embed lesson.png results/toy/figure1.png results/toy/contrast.png
var Pictures embed.FS
