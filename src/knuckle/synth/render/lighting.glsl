// Shared by all surfaces: sky light, key lights with soft shadows, ambient occlusion, mirrored surroundings.
uniform vec3 harmonics[9];      // irradiance / pi of the surroundings (Ramamoorthi and Hanrahan 2001)
uniform sampler2D mirrored;     // octahedral surroundings, one level per roughness
uniform sampler2D shadow_depth; // blurred depth and its square, 0 near to 1 far
uniform sampler2D openness;
uniform sampler3D speckle;
uniform mat4 light_from_camera;
uniform vec2 shadow_scale;      // depth of the shadow map in metres, and bias along the normal in metres
uniform vec3 towards[3];
uniform vec3 shine[3];
uniform sampler2D seen;         // depth, object number, texture coordinates
uniform sampler2D normals;
uniform sampler2D rests;
uniform sampler2D masks;
uniform vec4 backwards;         // X = (pixel - backwards.zw) * backwards.xy * Z
uniform float finest;           // metres per texel of the painted textures
out vec4 colour;

ivec2 pixel_here() { return ivec2(gl_FragCoord.xy); }

vec3 place(float z) { return vec3((floor(gl_FragCoord.xy) - backwards.zw) * backwards.xy * z, z); }

// The mip level at which a texture with `texel` metres per texel matches the pixels at this depth.
float level(float z, float texel) { return max(0.0, log2(z * backwards.x / texel)); }

vec3 sky(vec3 n) {
    return max(vec3(0.0), harmonics[0] + harmonics[1] * n.y + harmonics[2] * n.z + harmonics[3] * n.x
        + harmonics[4] * (n.x * n.y) + harmonics[5] * (n.y * n.z) + harmonics[6] * (3.0 * n.z * n.z - 1.0)
        + harmonics[7] * (n.x * n.z) + harmonics[8] * (n.x * n.x - n.y * n.y));
}

vec3 mirror(vec3 d, float roughness) {
    vec3 p = d / (abs(d.x) + abs(d.y) + abs(d.z));
    vec2 folded = p.y < 0.0 ? (1.0 - abs(p.zx)) * vec2(p.x >= 0.0 ? 1.0 : -1.0, p.z >= 0.0 ? 1.0 : -1.0) : p.xz;
    return textureLod(mirrored, folded * 0.47 + 0.5, roughness * 4.0).rgb;
}

// x: share of the strongest light that arrives; y: metres of matter in front of the point. Variance shadow maps
// (Donnelly and Lauritzen 2006); the lowest quarter is cut off to stop light leaks.
vec2 lit(vec3 here, vec3 n) {
    vec3 spot = (light_from_camera * vec4(here + n * shadow_scale.y, 1.0)).xyz * 0.5 + 0.5;
    vec2 depth = textureLod(shadow_depth, spot.xy, 0.0).xy;
    float behind = max(0.0, spot.z - depth.x), spread = max(depth.y - depth.x * depth.x, 0.00002);
    float share = behind > 0.0 ? clamp((spread / (spread + behind * behind) - 0.25) / 0.75, 0.0, 1.0) : 1.0;
    return vec2(share, behind * shadow_scale.x + shadow_scale.y);
}

float ambient() { return textureLod(openness, gl_FragCoord.xy / vec2(textureSize(seen, 0)), 0.0).x; }

// Unfiltered noise: one texel is far finer than a pixel.
vec4 grain(vec3 p) { return texelFetch(speckle, ivec3(floor(p * 32.0)) & 31, 0); }

// Microfacet reflection of a light, GGX with Schlick's Fresnel (Karis 2013, eq. 2-4; the mobile form of V).
float gloss(vec3 n, vec3 v, vec3 l, float roughness, float f0) {
    vec3 h = normalize(v + l);
    float a = roughness * roughness, nh = max(dot(n, h), 0.0), nl = max(dot(n, l), 0.0), lh = max(dot(l, h), 0.0);
    float d = nh * nh * (a * a - 1.0) + 1.0;
    float fresnel = f0 + (1.0 - f0) * pow(max(0.0, 1.0 - lh), 5.0);  // rounding can make lh larger than 1
    return nl * fresnel * a * a / (d * d * max(0.1, lh * lh) * (roughness + 0.5) * 4.0);
}

// How much of the surroundings a rough surface mirrors (Karis 2014, "Physically based shading on mobile").
float mirror_share(float roughness, float nv, float f0) {
    vec4 r = roughness * vec4(-1.0, -0.0275, -0.572, 0.022) + vec4(1.0, 0.0425, 1.04, -0.04);
    float a = min(r.x * r.x, exp2(-9.28 * nv)) * r.x + r.y;
    return f0 * (-1.04 * a + r.z) + (1.04 * a + r.w);
}
