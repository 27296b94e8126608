"""A ROS 2 node that publishes hands: python3 examples/ros2_hands.py [SOURCE], with ROS 2 sourced."""

import sys

import rclpy
from geometry_msgs.msg import Point, Pose, PoseArray, Quaternion
from std_msgs.msg import String

import knuckle
from knuckle.stream.values import Measure

rclpy.init()
node = rclpy.create_node("knuckle")
poses, gestures = {}, {}
for side in ("left", "right"):
    poses[side] = node.create_publisher(PoseArray, f"hands/{side}/landmarks", 10)
    gestures[side] = node.create_publisher(String, f"hands/{side}/gesture", 10)
tracker, measure = knuckle.HandTracker(gestures="mediapipe"), Measure("world")
for frame in knuckle.read(sys.argv[1] if len(sys.argv) > 1 else 0):
    for hand in measure(frame, tracker(frame.image, frame.time_s)).hands:
        if hand.name in poses:  # metres in the axes of an optical frame: x right, y down, z away
            message = PoseArray()
            message.header.frame_id, message.header.stamp = "hand", node.get_clock().now().to_msg()
            x, y, z, w = hand.rotation
            turn, points = Quaternion(x=x, y=y, z=z, w=w), [Point(x=x, y=y, z=z) for x, y, z in hand.points.tolist()]
            message.poses = [Pose(position=point, orientation=turn) for point in points]
            poses[hand.name].publish(message)
            gestures[hand.name].publish(String(data=hand.gesture or ""))
