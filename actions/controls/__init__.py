"""What people stop, release and limit by hand, and its pages."""
