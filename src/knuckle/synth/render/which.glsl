// The number of the thing as a depth, so that the depth test picks one thing's pixels for its shader.
uniform sampler2D seen;
out vec4 colour;

void main() {
    colour = vec4(0.0);
    gl_FragDepth = texelFetch(seen, ivec2(gl_FragCoord.xy), 0).y / 256.0;
}
