package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/homeroom-sms/homeroom/internal/testkit"
)

func TestDiskIsMeasured(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if says, ok := measure(dir, 1); !ok || !strings.Contains(says, "are free") {
		t.Error(says)
	}
	if says, ok := measure(dir, 1<<62); ok {
		t.Error(says)
	}
	if says, ok := measure(filepath.Join(dir, "none"), 1<<62); !ok || !strings.Contains(says, "can't be measured") {
		t.Error(says)
	}
	homeroom(t, testkit.Database(t), "doctor").expect(t, 0, "of its disk are free")
}
