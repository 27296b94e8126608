// Writes each pixel's object number as its depth, so that the depth test can select the pixels of one object.
uniform sampler2D seen;
out vec4 colour;

void main() {
    colour = vec4(0.0);
    gl_FragDepth = texelFetch(seen, ivec2(gl_FragCoord.xy), 0).y / 256.0;
}
