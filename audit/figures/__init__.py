"""From rows to figures: intervals that draw whole items, and the estimates of the suites that need more than a mean."""
