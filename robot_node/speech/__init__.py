"""Speech to words and words to speech, each engine behind one interface. No ROS here."""
