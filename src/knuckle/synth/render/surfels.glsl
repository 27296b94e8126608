// What is seen at each pixel's centre. It is shaded later, because shading small triangles in place is slow.
uniform float id;
in float depth;
in vec3 facing;
in vec2 paint_at;
in vec3 rest_at;
in vec4 masks_at;
in float blotch_at;
layout(location = 0) out vec4 seen;
layout(location = 1) out vec4 normal;
layout(location = 2) out vec4 rest;
layout(location = 3) out vec4 mask;

void main() {
    seen = vec4(depth, id, paint_at);
    normal = vec4(gl_FrontFacing ? facing : -facing, blotch_at);
    rest = vec4(rest_at, 0.0);
    mask = masks_at;
}
