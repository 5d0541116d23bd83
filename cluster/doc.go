// Package cluster plans the cells of Table 1, runs each of them anywhere, and
// collects what is there.
//
// A [Plan] is made once, hashed, written to DIR/plan.json and never changed. Every cell of
// it (a column, a method and a seed) is one training run in DIR/cells/<id>/, and
// depends on the plan alone. So the same cells may be run by hand, by a pool of
// processes on one machine ([Pool]), by Slurm job arrays ([SlurmScripts]) or by a Kubernetes
// Indexed Job ([KubernetesManifest]), several of these at once, and again after
// any interruption: a finished cell is skipped, a begun one is continued, and
// one that another process works on is left to it. [Collect] reads the files and needs no
// daemon.
package cluster
