package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// processorTime is what these processes used so far, in ms, as Linux counts it
// in /proc (100 ticks a second); 0 elsewhere.
func processorTime(pids []int) (total float64) {
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(b), ") ") // behind the name
		if f := strings.Fields(after); len(f) > 12 {
			user, _ := strconv.ParseFloat(f[11], 64)
			system, _ := strconv.ParseFloat(f[12], 64)
			total += (user + system) * 10
		}
	}
	return total
}

// memory is what these processes hold in memory, and held at most, in MiB.
func memory(pids []int) (rss, peak float64) {
	for _, pid := range pids {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(b)) {
			var kib float64
			if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kib); n == 1 {
				rss += kib / 1024
			}
			if n, _ := fmt.Sscanf(line, "VmHWM: %f kB", &kib); n == 1 {
				peak += kib / 1024
			}
		}
	}
	return rss, peak
}
