// One triangle over the whole picture, at the depth of an object's number.
uniform float number;

void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    gl_Position = vec4(corner, number / 128.0 - 1.0, 1.0);
}
