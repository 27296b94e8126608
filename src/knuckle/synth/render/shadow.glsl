// The scene as the first key light sees it, orthographic.
uniform mat4 light_from_camera;
in vec3 vertex;

void main() { gl_Position = light_from_camera * vec4(vertex, 1.0); }
