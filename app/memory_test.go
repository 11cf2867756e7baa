package app

import (
	"math"
	"testing"
	"testing/fstest"
)

func TestMemoryOfControlGroups(t *testing.T) {
	const none = math.MaxInt64
	for name, tt := range map[string]struct {
		files map[string]string
		want  int64
	}{
		"no Linux": {nil, none},
		"version 2": {map[string]string{
			"proc/self/cgroup":                                          "0::/system.slice/portalhooks.service\n",
			"sys/fs/cgroup/system.slice/memory.max":                     "max\n",
			"sys/fs/cgroup/system.slice/portalhooks.service/memory.max": "536870912\n",
		}, 512 << 20},
		"a group above has less": {map[string]string{
			"proc/self/cgroup":               "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max":     "1000000\n",
			"sys/fs/cgroup/a/b/memory.max":   "2000000\n",
			"sys/fs/cgroup/a/b/c/memory.max": "10\n",
		}, 1_000_000},
		"a container": {map[string]string{
			"proc/self/cgroup":         "0::/kubepods/pod1/container1\n",
			"sys/fs/cgroup/memory.max": "268435456\n",
		}, 256 << 20},
		"no limit": {map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n",
		}, none},
		"version 1": {map[string]string{
			"proc/self/cgroup":                             "5:cpu,cpuacct:/a\n4:memory:/a\n1:name=systemd:/a\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   "9223372036854771712\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1073741824\n",
		}, 1 << 30},
		"version 1 without a limit": {map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, none},
		"both versions": {map[string]string{
			"proc/self/cgroup": "4:hugetlb,memory:/a\n0::/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n",
		}, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for file, text := range tt.files {
				files[file] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := groupMemory(files); got != tt.want {
				t.Errorf("%d bytes, want %d", got, tt.want)
			}
		})
	}
}
