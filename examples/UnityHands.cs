// Hands in Unity: add this to an object, press Play, and start `knuckle stream 0 --udp 5005`.
using System;
using System.Net.Sockets;
using System.Text;
using UnityEngine;

[Serializable] public class Curl { public float thumb, index, middle, ring, pinky; }
[Serializable] public class Points { public float[] wrist, thumb_tip, index_tip, middle_tip, ring_tip, pinky_tip; }
[Serializable] public class HandValues { public string name, gesture; public float pinch; public Points point; public Curl curl; }
[Serializable] public class HandFrame { public int frame, width, height; public HandValues[] hands; }

public class UnityHands : MonoBehaviour
{
    public Transform indexTip;  // the object that follows the tip of the index finger
    UdpClient receiver;
    System.Net.IPEndPoint sender = new(System.Net.IPAddress.Any, 0);
    void Start() => receiver = new UdpClient(5005);
    void OnDestroy() => receiver.Close();
    void Update()
    {
        while (receiver.Available > 0) {
            var frame = JsonUtility.FromJson<HandFrame>(Encoding.UTF8.GetString(receiver.Receive(ref sender)));
            foreach (var hand in frame.hands) {
                float[] p = hand.point.index_tip;
                indexTip.localPosition = new Vector3(p[0] - 0.5f, (0.5f - p[1]) * frame.height / frame.width, p[2]);
            }
        }
    }
}
