// Camera space to clip space; rows of the framebuffer are rows of the image, top first.
uniform vec4 pinhole;  // x = pinhole.x * X/Z + pinhole.z in clip space, likewise y
uniform vec2 depths;   // near, far

vec4 projected(vec3 p) {
    float near = depths.x, far = depths.y;
    float z = (p.z * (far + near) - 2.0 * far * near) / (far - near);
    return vec4(pinhole.xy * p.xy + pinhole.zw * p.z, z, p.z);
}
