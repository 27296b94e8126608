"""Hands sent to other programs while they are tracked: OSC, VMC, UDP, WebSocket, MQTT, MIDI and a virtual camera."""
