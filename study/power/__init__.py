"""Power: the study's own design and its own planned analysis, simulated over and over."""
