// Smooth edges: where depth jumps, a tent filter over 3 x 3 samples. Light is known at the pixels' centres only, depth
// at every sample: a sample between centres takes the light of the centre nearest in depth (subpixel reconstruction,
// Chajdas, McGuire and Luebke 2011). A loop, because llvmpipe leaves loops early but always runs both sides of an if.
uniform sampler2D samples;  // depth buffer, 2 x 2 per pixel; sample (2x, 2y) is the centre of pixel (x, y)
uniform sampler2D shaded;
uniform vec2 depths;        // near, far
out vec4 colour;

float inverse_depth(ivec2 at) {
    float raw = texelFetch(samples, clamp(at, ivec2(0), textureSize(samples, 0) - 1), 0).x;
    return raw < 1.0 ? (depths.y - raw * (depths.y - depths.x)) / (depths.x * depths.y) : -1000.0;
}

void main() {
    ivec2 pixel = ivec2(gl_FragCoord.xy), last = textureSize(shaded, 0) - 1;
    float centre = inverse_depth(pixel * 2), near = centre, far = centre;
    for (int k = 0; k < 9; ++k) {
        float other = inverse_depth(pixel * 2 + ivec2(k % 3 - 1, k / 3 - 1));
        near = max(near, other);
        far = min(far, other);
    }
    bool edge = near > 0.0 && near - far > 0.01 * near;
    colour = edge ? vec4(0.0) : texelFetch(shaded, pixel, 0);
    for (int k = edge ? 0 : 9; k < 9; ++k) {
        ivec2 aside = ivec2(k % 3 - 1, k / 3 - 1), best = pixel;
        float own = inverse_depth(pixel * 2 + aside), distance = abs(own - centre);
        for (int c = 1; c < 4; ++c) {
            ivec2 candidate = clamp(pixel + aside * ivec2(c & 1, c >> 1), ivec2(0), last);
            float its = abs(own - inverse_depth(candidate * 2));
            best = its < distance ? candidate : best;
            distance = min(distance, its);
        }
        float weight = own > 0.0 ? float((2 - abs(aside.x)) * (2 - abs(aside.y))) / 16.0 : 0.0;
        colour += texelFetch(shaded, best, 0) * weight;
    }
}
