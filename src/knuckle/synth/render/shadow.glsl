// Orthographic view of the scene from the strongest key light.
uniform mat4 light_from_camera;
in vec3 vertex;

void main() { gl_Position = light_from_camera * vec4(vertex, 1.0); }
