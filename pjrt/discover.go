package pjrt

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// EnvPlugin names the environment variable that holds a plug-in's path.
const EnvPlugin = "TQN_PJRT_PLUGIN"

// install is the sentence that ends every error about a missing or unfit plug-in.
const install = "install JAX's plug-in for your device with pip (jax-cuda13-pjrt for NVIDIA, jax-rocm7-pjrt for AMD, libtpu for TPU; " +
	"lammps-jax-pjrt-cpu runs on any x86-64 Linux) and name its .so with --plugin PATH or " + EnvPlugin

// wheels are the places of a plug-in below site-packages, best device first.
var wheels = []string{
	"jax_plugins/xla_cuda*/xla_cuda_plugin.so",
	"jax_plugins/xla_rocm*/xla_rocm_plugin.so",
	"libtpu/libtpu.so",
	"jax_plugins/*/*pjrt*plugin*.so",
	"xla_plugins/*/*.so",
	"lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so",
}

// Find returns the path of the plug-in to use: flag if it is not empty, else the
// environment variable [EnvPlugin], else the first plug-in of an installed Python wheel. It looks where the
// interpreter that [EnvPython] names imports from, if the variable is set (it is an error if that interpreter does
// not answer); then in the active virtual environment ($VIRTUAL_ENV, $CONDA_PREFIX) and
// the user's and the system's site-packages; then where python3 and python on PATH import from. The
// interpreters are run, each for a few seconds at most, only when nothing before them gave a plug-in. It is an
// error wrapping [ErrNoPlugin] if there is none.
func Find(flag string) (string, error) {
	if !built {
		_, err := dlopen(flag)
		return "", fmt.Errorf("pjrt: %w can be used: %w", ErrNoPlugin, err)
	}
	if flag != "" {
		return flag, nil
	}
	if path := os.Getenv(EnvPlugin); path != "" {
		return path, nil
	}
	if python := os.Getenv(EnvPython); python != "" {
		folders, err := pythonFolders(python)
		if err != nil {
			return "", fmt.Errorf("pjrt: looking for a plug-in: %s (%s names the interpreter)", err, EnvPython)
		}
		if found := installedIn(folders); len(found) > 0 {
			return found[0], nil
		}
	}
	if found := installedIn(sitePackages()); len(found) > 0 {
		return found[0], nil
	}
	var asked []string
	for _, python := range onPath() {
		folders, err := pythonFolders(python)
		if err != nil {
			asked = append(asked, err.Error())
			continue
		}
		if found := installedIn(folders); len(found) > 0 {
			return found[0], nil
		}
		asked = append(asked, python+" has none")
	}
	if asked == nil {
		asked = []string{"no python3 or python is on PATH"}
	}
	return "", fmt.Errorf("pjrt: %w found (%s): %s", ErrNoPlugin, strings.Join(asked, "; "), install)
}

// installedIn returns the plug-ins below the given site-packages folders, best
// device first, then in the order of the folders.
func installedIn(folders []string) []string {
	var found []string
	for _, wheel := range wheels {
		for _, folder := range folders {
			matches, err := filepath.Glob(filepath.Join(folder, wheel))
			if err != nil {
				panic("pjrt: installedIn: bad pattern " + wheel)
			}
			slices.Sort(matches)
			for _, m := range matches {
				if !slices.Contains(found, m) {
					found = append(found, m)
				}
			}
		}
	}
	return found
}

// sitePackages returns the folders in which pip may have put a wheel.
func sitePackages() []string {
	var roots []string
	for _, variable := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if v := os.Getenv(variable); v != "" {
			roots = append(roots, v)
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	roots = append(roots, "/usr/local", "/usr")
	var folders []string
	for _, root := range roots {
		folders = append(folders, below(root)...)
	}
	return folders
}

// below returns the folders of packages of the Python installed at a prefix, the newest Python's first.
func below(root string) []string {
	var folders []string
	for _, pattern := range []string{"lib/python3*/site-packages", "lib/python3*/dist-packages", "lib64/python3*/site-packages", "lib/python3/dist-packages"} {
		matches, _ := filepath.Glob(filepath.Join(root, pattern)) // the pattern is a constant and well formed, unless the root has a bracket in it: then nothing is found there
		slices.Sort(matches)
		slices.Reverse(matches) // the newest Python first
		folders = append(folders, matches...)
	}
	return folders
}

// cudaToolkit is the folder of NVIDIA's wheels with the assembler and the device
// library, in the site-packages that a CUDA plug-in's wheel is in; "" if there is none.
// The plug-in's RPATH finds the libraries in those wheels itself.
func cudaToolkit(plugin string) string {
	if !strings.Contains(filepath.Base(plugin), "cuda") {
		return ""
	}
	site := filepath.Dir(filepath.Dir(filepath.Dir(plugin))) // site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so
	for _, folder := range []string{"nvidia/cu13", "nvidia/cuda_nvcc"} {
		if dir := filepath.Join(site, folder); isDir(dir) {
			return dir
		}
	}
	return ""
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
