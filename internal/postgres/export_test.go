package postgres

// CloseUnused is what the pools do from time to time.
func (p *Pools) CloseUnused() { p.closeUnused() }

// IsOpen reports whether there is a pool behind.
func (d *Database) IsOpen() bool { return d.current.Load() != nil }
