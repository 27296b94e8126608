// Skin: layers of colour, creases as a normal map, subsurface scattering, light through thin parts.
uniform sampler2D folds;        // slopes of creases (rg) and of fine wrinkles (ba), 0.5 is level
uniform sampler2D marks;        // cavity, veins, nail, blush
uniform sampler2D overlays;     // hair, palm, tattoos
uniform vec3 back_colour, palm_colour, blush_colour, vein_colour, hair_colour, nail_colour, tip_colour, lip_colour;
uniform vec4 amounts;           // creases, wrinkles, veins, mottling
uniform vec4 others;            // hair, tattoo, blush, gloss
uniform vec4 nail;              // polish, roughness, age spots, strength of scattering
uniform vec3 tattoo_choice;     // which design; seed shift
uniform vec4 hand_region;       // of the texture coordinates: centre, 1 / size
uniform float mirror_line;
uniform int lights;

void main() {
    vec4 surfel = texelFetch(seen, pixel_here(), 0), mask = texelFetch(masks, pixel_here(), 0);
    vec3 at = place(surfel.x), rest_at = texelFetch(rests, pixel_here(), 0).xyz;
    vec2 painted_at = surfel.zw;
    vec4 turned = texelFetch(normals, pixel_here(), 0);
    vec3 v = normalize(-at), n = normalize(turned.xyz);
    float nv = dot(n, v);
    if (nv < 0.0) n = normalize(n - v * nv * 1.02);
    float detail = level(at.z, finest) + 0.5 - 0.5 * abs(nv);
    // The left hand uses the right hand's texture, mirrored.
    float side = painted_at.x > mirror_line ? -1.0 : 1.0;
    vec2 spot = vec2(side > 0.0 ? painted_at.x : 2.0 * mirror_line - painted_at.x, painted_at.y);
    vec2 paper = (spot - hand_region.xy) * hand_region.zw + 0.5;
    float hand = all(lessThan(abs(paper - 0.5), vec2(0.5))) ? 1.0 : 0.0;
    vec4 slope = textureLod(folds, paper, detail) - 0.5;
    vec4 mark = textureLod(marks, paper, detail) * hand;
#ifdef OVERLAYS
    vec4 extra = textureLod(overlays, paper, detail) * hand;
#else
    vec4 extra = vec4(0.0);
#endif
    float blotch_at = turned.w - 0.5;
    vec4 fine = grain(rest_at * 40.0 + tattoo_choice.z);
    float eye = mask.x * (1.0 - hand);

    // Texture slopes to camera space without stored tangents (Mikkelsen 2010).
    vec2 tilt = (slope.xy * amounts.x + slope.zw * amounts.y) * hand;
    vec3 px = dFdx(at), py = dFdy(at);
    vec2 tx = dFdx(paper), ty = dFdy(paper);
    vec3 r1 = cross(py, n), r2 = cross(n, px);
    float area = dot(px, r1);
    vec2 rise = vec2(dot(tilt, tx), dot(tilt, ty));
    vec3 bend = (r1 * rise.x + r2 * rise.y) / (abs(area) < 1e-14 ? 1e-14 : area);
    bend = clamp(bend, -1e3, 1e3);  // for triangles seen edge-on
    float steep = length(bend), seam = step(length(tx) + length(ty), 8.0 * at.z * backwards.x / 0.35);
    vec3 bumped = normalize(n - bend * seam * min(1.0, 1.2 / max(steep, 1e-6)) + (fine.xyz - 0.5) * 0.07 * (1.0 - mark.z));

    float palm = smoothstep(0.05, 0.95, mask.y + blotch_at * 0.15);
    vec3 base = mix(back_colour, palm_colour, palm);
    float blotch = blotch_at * 0.8 + (fine.x - 0.5) * 0.2;
    float blush = clamp(others.z * (1.3 * mark.w + 1.2 * blotch * amounts.w), 0.0, 1.0);
    base *= mix(vec3(1.0), blush_colour, blush);
    base *= 1.0 + amounts.w * blotch_at * vec3(0.20, 0.42, 0.44) + amounts.w * (fine.y - 0.5) * 0.10;
    base *= mix(vec3(1.0), vein_colour, amounts.z * mark.y);
    base *= 1.0 - nail.z * (1.0 - palm) * smoothstep(0.66, 0.74, fine.w * 0.75 + (blotch_at + 0.5) * 0.25) * vec3(0.14, 0.22, 0.26);
    base *= 1.0 - amounts.x * mark.x * vec3(0.30, 0.42, 0.45);
    base = mix(mix(base, lip_colour, mask.z), vec3(0.16, 0.13, 0.11), eye);
    base = mix(base, hair_colour, clamp(mask.w + others.x * extra.x, 0.0, 1.0));
    float ink = others.y * mix(extra.z, extra.w, tattoo_choice.x) * (1.0 - palm);
    base = mix(base, vec3(0.025, 0.03, 0.04), ink * 0.85);
    // One texture channel encodes bed, half-moon and free edge of the nail.
    float is_nail = smoothstep(0.25, 0.5, mark.z);
    vec3 plate = mix(mix(nail_colour, tip_colour, smoothstep(0.72, 0.85, mark.z) * 0.45), tip_colour, smoothstep(0.88, 0.97, mark.z));
    base = mix(base, mix(plate, nail_colour, nail.x), is_nail);
    base = clamp(base, 0.0, 0.9);

    float roughness = mix(mix(0.52, 0.58, palm) - 0.15 * others.w, nail.y, max(is_nail, eye));
    roughness = clamp(roughness + (fine.z - 0.5) * 0.12, 0.15, 0.9);
    float f0 = mix(0.028, 0.045, is_nail), open = ambient(), bleed = nail.w * (1.0 - 0.7 * is_nail * nail.x);
    vec3 scatter = vec3(0.26, 0.13, 0.08) * bleed;
    vec3 smooth_red = normalize(mix(bumped, n, 0.7));
    // Light that bounces between neighbouring skin gets redder (multi-bounce AO, Jimenez 2016).
    vec3 sheltered = max(vec3(open), ((open * (2.0404 * base - 0.3324) + (-4.7951 * base + 0.6417)) * open
        + (2.7552 * base + 0.6903)) * open);
    vec3 light = vec3(sky(smooth_red).r, sky(bumped).gb) * sheltered;
    vec3 shimmer = mirror(reflect(-v, bumped), roughness) * mirror_share(roughness, max(dot(bumped, v), 0.0), f0)
        * clamp(open * open + 0.1, 0.0, 1.0);
    for (int k = 0; k < 3; ++k) {
        if (k >= lights) break;
        vec2 arrives = k == 0 ? lit(at, n) : vec2(mix(1.0, open, 0.7), 0.0);
        float nl = dot(bumped, towards[k]), flat_nl = dot(n, towards[k]);
        vec3 cosines = mix(vec3(nl), vec3(flat_nl), scatter * 1.6);
        vec3 wrapped = max(vec3(0.0), cosines + scatter) / (1.0 + scatter);
        vec3 through = exp(-arrives.y / (vec3(0.0030, 0.0013, 0.0009) * bleed + 1e-5));
        vec3 direct = wrapped * wrapped / (wrapped + 0.12) * 1.12
            * (arrives.x + (1.0 - arrives.x) * (k == 0 ? through * 0.6 : vec3(0.0)));
        if (k == 0) direct += through * max(0.0, 0.1 - flat_nl) * vec3(0.30, 0.09, 0.05) * bleed;
        light += direct * shine[k];
        shimmer += shine[k] * gloss(bumped, v, towards[k], roughness, f0) * arrives.x;
    }
    colour = vec4(base * light + shimmer * mix(0.6 + 0.7 * others.w, 0.9, is_nail), 1.0);
}
