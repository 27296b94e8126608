# Hands in Godot 4: attach this to a Node3D, run the scene, and start `knuckle stream 0 --udp 5005`.
extends Node3D

var receiver := PacketPeerUDP.new()
var balls := {}


func _ready() -> void:
	receiver.bind(5005, "127.0.0.1")


func _process(_delta: float) -> void:
	while receiver.get_available_packet_count() > 0:
		var frame: Dictionary = JSON.parse_string(receiver.get_packet().get_string_from_utf8())
		for hand in frame["hands"]:
			for part in hand["point"]:
				var p: Array = hand["point"][part]
				var up: float = (0.5 - p[1]) * frame["height"] / frame["width"]
				ball(hand["name"] + "/" + part).position = Vector3(p[0] - 0.5, up, -p[2])


func ball(part: String) -> MeshInstance3D:
	if not balls.has(part):
		balls[part] = MeshInstance3D.new()
		balls[part].mesh = SphereMesh.new()
		balls[part].scale = Vector3.ONE * 0.02
		add_child(balls[part])
	return balls[part]
