// Package reports turns results into Markdown, tables and PNG figures. It is the
// only importer of gonum/plot and tablewriter.
//
// [Table] renders Markdown and plain text; [Figure] renders panels with their
// legends outside the data; [WriteFile] writes atomically; [Manifest] says where
// a report's numbers come from.
package reports
