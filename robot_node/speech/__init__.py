"""What the robot hears with and speaks with. Nothing in here knows ROS."""
