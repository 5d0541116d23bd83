package cluster

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

func TestKubernetesManifestDecodesStrictly(t *testing.T) {
	p := testPlan(t, "", 9)
	plan, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	text, err := KubernetesManifest(submission(), plan)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(text, "---\n")
	if len(parts) != 2 {
		t.Fatalf("%d documents, want 2", len(parts))
	}
	var config corev1.ConfigMap
	if err := yaml.UnmarshalStrict([]byte(parts[0]), &config); err != nil {
		t.Fatal(err)
	}
	if got, err := ParsePlan("configmap", []byte(config.Data["plan.json"])); err != nil || got.Hash != p.Hash {
		t.Errorf("the plan in the ConfigMap: %v", err)
	}
	var job batchv1.Job
	if err := yaml.UnmarshalStrict([]byte(parts[1]), &job); err != nil {
		t.Fatal(err)
	}
	if job.APIVersion != batchv1.SchemeGroupVersion.String() || job.Kind != "Job" || *job.Spec.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("%s %s, %s", job.APIVersion, job.Kind, *job.Spec.CompletionMode)
	}
	if *job.Spec.Completions != 9 || *job.Spec.Parallelism != 3 || *job.Spec.BackoffLimitPerIndex != 5 || *job.Spec.MaxFailedIndexes != 9 {
		t.Errorf("completions %d, parallelism %d, backoff limit %d, failed indexes %d", *job.Spec.Completions, *job.Spec.Parallelism, *job.Spec.BackoffLimitPerIndex, *job.Spec.MaxFailedIndexes)
	}
	rules := job.Spec.PodFailurePolicy.Rules
	if len(rules) != 2 || rules[0].Action != batchv1.PodFailurePolicyActionFailIndex || !slices.Equal(rules[0].OnExitCodes.Values, []int32{ExitPermanent, ExitUsage}) ||
		rules[1].Action != batchv1.PodFailurePolicyActionIgnore || rules[1].OnPodConditions[0].Type != corev1.DisruptionTarget {
		t.Errorf("pod failure policy %+v", rules)
	}
	pod := job.Spec.Template.Spec
	c := pod.Containers[0]
	if pod.RestartPolicy != corev1.RestartPolicyNever || c.Image != "registry.example/tqn:1" || !slices.Equal(c.Command, []string{"/usr/local/bin/tqn"}) {
		t.Errorf("pod %+v", pod)
	}
	if want := []string{"table1", "run", "--plan", "/plan/plan.json", "--out", "/shared/table1", "--dir", "/data/it's here"}; !slices.Equal(c.Args, want) {
		t.Errorf("args %q, want %q", c.Args, want)
	}
	for _, list := range []corev1.ResourceList{c.Resources.Requests, c.Resources.Limits} {
		if list.Cpu().Value() != 2 || list.Memory().Value() != 701<<20 {
			t.Errorf("resources %v", list)
		}
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			t.Errorf("volume %s is mounted, not declared", m.Name)
		}
	}
	if pod.Volumes[0].PersistentVolumeClaim.ClaimName != "work" || pod.Volumes[1].ConfigMap.Name != config.Name {
		t.Errorf("volumes %+v", pod.Volumes)
	}
	// The strict decoder does fail: a planted slip.
	if err := yaml.UnmarshalStrict([]byte(strings.Replace(parts[1], "backoffLimitPerIndex", "backoffLimitPerIndexes", 1)), &job); err == nil {
		t.Error("a field that does not exist is accepted")
	}
	for _, m := range c.VolumeMounts {
		if m.Name == "work" && m.MountPath != "/shared/table1" {
			t.Errorf("the claim is mounted at %s", m.MountPath)
		}
	}
	s := submission()
	s.Mount = "/shared"
	if text, err := KubernetesManifest(s, plan); err != nil || !strings.Contains(text, "mountPath: /shared\n") {
		t.Errorf("a volume above the folder: %v", err)
	}
	s.Mount = "/share"
	if _, err := KubernetesManifest(s, plan); err == nil {
		t.Error("a folder outside the volume is accepted")
	}
	s = submission()
	s.Image = ""
	if _, err := KubernetesManifest(s, plan); err == nil {
		t.Error("no image is accepted")
	}
}
