plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

android {
    namespace = "app.knuckle.palms"
    compileSdk = 35
    defaultConfig {
        applicationId = "app.knuckle.palms"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "1.0"
    }
    // The tracker and the .task file lie beside the samples.
    sourceSets["main"].kotlin.srcDir("../../kotlin")
    sourceSets["main"].assets.srcDir("../../models")
    androidResources { noCompress += listOf("task", "tflite") }
    kotlinOptions { jvmTarget = "17" }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation("androidx.activity:activity-ktx:1.9.3")
    implementation("androidx.camera:camera-camera2:1.4.1")
    implementation("androidx.camera:camera-lifecycle:1.4.1")
    implementation("androidx.camera:camera-view:1.4.1")
    implementation("com.google.ai.edge.litert:litert:1.0.1")
}
