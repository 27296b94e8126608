// Ambient occlusion from the depth picture at half size: Alchemy AO (McGuire et al. 2011, eq. 10).
uniform sampler2D seen;
uniform vec4 backwards;  // X = (pixel - backwards.zw) * backwards.xy * Z
uniform float radius;    // metres
out float open;

vec3 point(ivec2 pixel, float z) { return vec3((vec2(pixel) - backwards.zw) * backwards.xy * z, z); }

// Difference to the next pixel or from the previous one; the smaller does not cross a silhouette.
vec3 change(ivec2 pixel, vec3 here, ivec2 step_, ivec2 size) {
    ivec2 after = min(pixel + step_, size - 1), before = max(pixel - step_, ivec2(0));
    vec3 one = point(after, texelFetch(seen, after, 0).x) - here;
    vec3 two = here - point(before, texelFetch(seen, before, 0).x);
    return abs(one.z) < abs(two.z) ? one : two;
}

void main() {
    ivec2 size = textureSize(seen, 0);
    ivec2 pixel = ivec2(gl_FragCoord.xy) * 2;
    float z = texelFetch(seen, pixel, 0).x;
    if (z <= 0.0) {
        open = 1.0;
        return;
    }
    vec3 here = point(pixel, z);
    vec3 normal = normalize(cross(change(pixel, here, ivec2(0, 1), size), change(pixel, here, ivec2(1, 0), size)));
    float reach = clamp(radius / (backwards.x * z), 3.0, 48.0);
    float turn = fract(52.9829189 * fract(dot(vec2(pixel), vec2(0.06711056, 0.00583715)))) * 6.2832;
    float hidden = 0.0;
    for (int k = 0; k < 12; ++k) {
        float share = (float(k) + 0.5) / 12.0;
        float angle = turn + float(k) * 2.39996;
        ivec2 other = clamp(pixel + ivec2(vec2(cos(angle), sin(angle)) * reach * share), ivec2(0), size - 1);
        float depth = texelFetch(seen, other, 0).x;
        vec3 towards = point(other, depth) - here;
        float square = dot(towards, towards);
        float near = depth > 0.0 ? max(0.0, 1.0 - square / (radius * radius)) : 0.0;
        hidden += near * max(0.0, dot(towards, normal) - backwards.x * z) / (square + 1e-6) * share;
    }
    open = clamp(1.0 - hidden * radius * 0.30, 0.0, 1.0);
}
