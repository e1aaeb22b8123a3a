package mixin

// SetupStep is one step of a school's onboarding, as school_setups.steps stores it.
type SetupStep struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"` // pending, in_progress, done or skipped
}
