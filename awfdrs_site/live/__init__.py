"""Live pages, where they are looked at: what changed is read, rendered and sent to open pages."""
