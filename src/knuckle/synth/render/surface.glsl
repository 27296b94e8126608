// Everything that is not skin: cloth, gloves, plastic, metal, wood, glass, screens.
uniform sampler2D folds;
uniform vec3 base_colour, pattern_colour;
uniform vec4 finish;            // roughness, metal, bump, 1 / pattern size
uniform vec3 shift;             // moves the pattern
uniform int pattern, lights;
uniform vec4 nature;            // fuzz of cloth, emission, creases of a glove, unused
uniform vec4 hand_region;
uniform float mirror_line;

float share(float phase, float width) { return smoothstep(0.0, 0.06 + fwidth(phase) * 0.5, abs(fract(phase) - 0.5) - 0.5 + width * 0.5); }

float drawn(vec3 p) {
    if (pattern == 1) return share(p.y, 0.9);
    if (pattern == 2) return 0.5 * share(p.x, 0.9) + 0.5 * share(p.y, 0.9);
    if (pattern == 3) {
        vec3 q = fract(p) - 0.5;
        return smoothstep(0.12, 0.08, dot(q, q));
    }
    if (pattern == 4) return smoothstep(0.42, 0.58, textureLod(speckle, p * 0.12, 0.0).x);
    if (pattern == 5) return 0.5 + 0.5 * sin(p.x * 6.2832) * sin(p.y * 6.2832 + 0.8 * sin(p.x * 6.2832));
    if (pattern == 6) return 0.5 + 0.25 * (sin(p.x * 6.2832) + sin(p.y * 6.2832));
    if (pattern == 7) {
        float ring = length(p.xz) + 1.5 * textureLod(speckle, p * vec3(0.11, 0.02, 0.11), 0.0).y;
        return 0.5 + 0.5 * sin(6.2832 * ring);
    }
    if (pattern == 8) return smoothstep(0.60, 0.63, textureLod(speckle, p * 0.06, 0.0).z);
    return 0.0;
}

void main() {
    vec4 surfel = texelFetch(seen, pixel_here(), 0);
    vec3 at = place(surfel.x), rest_at = texelFetch(rests, pixel_here(), 0).xyz;
    vec2 painted_at = surfel.zw;
    vec3 v = normalize(-at), n = normalize(texelFetch(normals, pixel_here(), 0).xyz);
    if (dot(n, v) < 0.0) n = normalize(n - v * dot(n, v) * 1.02);
    vec4 coarse = textureLod(speckle, rest_at * 11.0 + shift, 0.0), fine = grain(rest_at * 60.0 + shift);
    float figure = drawn(rest_at * finish.w + shift);
    vec3 base = mix(base_colour, pattern_colour, figure);
    base *= 1.0 + (coarse.x - 0.5) * 0.25 * finish.z + (fine.y - 0.5) * 0.25 * nature.x;
    vec3 bumped = n + finish.z * ((fine.xyz - 0.5) * (0.06 + 0.35 * nature.x) + (coarse.xyz - 0.5) * 0.55 * nature.x);
    if (nature.z > 0.0) {
        float side = painted_at.x > mirror_line ? 2.0 * mirror_line - painted_at.x : painted_at.x;
        vec2 paper = (vec2(side, painted_at.y) - hand_region.xy) * hand_region.zw + 0.5;
        vec2 tilt = (textureLod(folds, paper, level(at.z, finest) + 1.0).xy - 0.5) * nature.z;
        vec3 px = dFdx(at), py = dFdy(at), r1 = cross(py, n), r2 = cross(n, px);
        float area = dot(px, r1);
        vec2 tx = dFdx(paper), ty = dFdy(paper);
        float seam = step(length(tx) + length(ty), 8.0 * at.z * backwards.x / 0.35);
        vec3 bend = seam * (r1 * dot(tilt, tx) + r2 * dot(tilt, ty)) / (abs(area) < 1e-14 ? 1e-14 : area);
        bend = clamp(bend, -1e3, 1e3);
        bumped -= bend * min(1.0, 1.0 / max(length(bend), 1e-6));
    }
    bumped = normalize(bumped);
    float roughness = clamp(finish.x + (coarse.w - 0.5) * 0.15, 0.06, 1.0), metal = finish.y, open = ambient();
    vec3 f0 = mix(vec3(0.04), base, metal);
    float nv = max(dot(bumped, v), 0.0), f = f0.g;
    vec3 tint = f0 / max(f, 1e-3);
    vec3 light = sky(bumped) * open;
    vec3 shimmer = mirror(reflect(-v, bumped), roughness) * mirror_share(roughness, nv, f) * tint * open;
    for (int k = 0; k < 3; ++k) {
        if (k >= lights) break;
        float arrives = k == 0 ? lit(at, n).x : mix(1.0, open, 0.7);
        float nl = dot(bumped, towards[k]);
        light += shine[k] * max(0.0, mix(nl, nl * 0.75 + 0.25, nature.x)) * arrives;
        shimmer += shine[k] * tint * gloss(bumped, v, towards[k], roughness, f) * arrives;
    }
    // Fibres seen edge-on catch light (a simple form of Ashikhmin 2000).
    light *= 1.0 + 0.35 * nature.x * pow(max(0.0, 1.0 - nv), 3.0);
    colour = vec4(base * light * (1.0 - metal) + shimmer * (1.0 - 0.85 * nature.x) + base_colour * nature.y, 1.0);
}
