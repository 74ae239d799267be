"""The robot's body without ROS: its joints and their limits, gestures, and the planning of motion."""
