"""The loudspeaker and the microphone. No ROS here."""
