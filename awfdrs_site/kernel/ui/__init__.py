"""What templates draw with: glyphs, colours of states, wording of times, small SVG charts."""
