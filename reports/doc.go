// Package reports turns results into pages of Markdown, tables, pictures and text for a
// terminal. It runs no experiment: what it prints has been found out by package
// referee, toy or nets. It is the only importer of gonum/plot and tablewriter.
//
// [Verification] is the referee's report, [Toy] that of equation (8), [Table1] that of
// trained networks, [Errata] the list of what the paper prints and what is true.
// [Table] renders Markdown, plain text and LaTeX; [Figure] renders panels with their
// legends outside the data; [Manifest] says where a report's numbers come from.
package reports
