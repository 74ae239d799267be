"""The robot arm: ROS 2 nodes that hold a visit with a participant.

Today they take words from a topic and give words to another; docs/robot.md lists the topics. Importing this package
imports no ROS: the modules that need it do.
"""
