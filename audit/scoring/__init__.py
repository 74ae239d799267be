"""How replies are scored: rules first, a grading model where rules do not reach, hand labels to judge both."""
