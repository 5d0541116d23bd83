// Package runfolder keeps the folder that a run writes into: one process at a time works in it ([Claim]), every file in it
// is replaced as a whole ([WriteAtomic], [WriteFile]) or, where it is not the run's own, kept under another name ([SetAside]), and what the file system refuses is told apart from everything
// else ([ErrStorage]), because the same command may succeed once there is room.
package runfolder
