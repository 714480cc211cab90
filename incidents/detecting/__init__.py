"""From events to incidents: signatures, who they belong to, what opens and what heals."""
