uniform sampler3D speckle;
uniform float shift;   // moves the noise
in vec3 vertex;
in vec3 normal;
in vec2 uv;
in vec3 rest;
in vec4 masks;
out float depth;
out vec3 facing;
out vec2 paint_at;
out vec3 rest_at;
out vec4 masks_at;
out float blotch_at;   // coarse noise, smooth enough to interpolate between vertices

void main() {
    depth = vertex.z;
    facing = normal;
    paint_at = uv;
    rest_at = rest;
    masks_at = masks;
    blotch_at = textureLod(speckle, rest * 9.0 + shift, 0.0).x;
    gl_Position = projected(vertex);
}
